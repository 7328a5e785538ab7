// Puts a button on everything that is meant to be copied. Without this script the texts can be selected as usual.
"use strict";
for (const box of document.querySelectorAll(".copyable")) {
  if (!navigator.clipboard) break; // only over https and on localhost
  const button = document.createElement("button");
  const label = box.dataset.what || "the commands";
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", "Copy " + label);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(box.querySelector("pre").textContent.trim() + "\n");
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  box.classList.add("has-button");
  box.append(button);
}
