// Draws the OpenAPI document of this instance, and mints a key on request. The key stays in this page's memory.
"use strict";
const root = new URL("..", location.href.split(/[?#]/)[0]); // docs/playground → the instance, also behind a path prefix

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

// What to send at first: only what must be sent. The drawing's own example has every field, with values that are refused.
function addExamples(spec) {
  for (const operations of Object.values(spec.paths)) {
    for (const operation of Object.values(operations)) {
      const content = operation.requestBody?.content["application/json"];
      if (!content) continue;
      const schema = spec.components.schemas[content.schema.$ref.split("/").pop()];
      const fields = (schema.required || []).map((name) => [name, schema.properties[name]]);
      content.example = Object.fromEntries(fields.map(([name, field]) => [name, field.example ?? field.default ?? "…"]));
    }
  }
}

async function start() {
  const said = document.getElementById("said");
  const answer = await fetch(new URL("openapi.json", root));
  const spec = await answer.json();
  // Requests go where this page came from: the policy of the page allows nothing else.
  spec.servers = [{ url: root.href.replace(/\/$/, "") }];
  addExamples(spec);
  const ui = SwaggerUIBundle({
    spec,
    domNode: document.getElementById("reference"),
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    tryItOutEnabled: true,
    displayRequestDuration: true,
    filter: true,
    validatorUrl: null,
  });

  document.getElementById("mint")?.addEventListener("click", async (event) => {
    event.target.disabled = true;
    const label = "playground-" + crypto.getRandomValues(new Uint32Array(2)).join("");
    const minted = await fetch(new URL("v1/keys", root), { method: "POST", body: JSON.stringify({ agent_label: label }) });
    const body = await minted.json();
    if (!minted.ok) {
      said.textContent = body.message + " " + (body.suggestion || "");
      event.target.disabled = false;
      return;
    }
    ui.preauthorizeApiKey("ApiKeyAuth", body.key);
    said.textContent = "Key " + body.key_id + " is used for the requests of this page: " + body.key + " (shown once; keep it if you want to use it elsewhere)";
  });
}

start().catch((error) => {
  document.getElementById("said").textContent = "The reference cannot be drawn: " + error.message;
});
