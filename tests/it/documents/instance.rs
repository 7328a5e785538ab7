//! Documents say what is true for this instance: its URL, its limits, whether it mints.

use backchannel::documents::DOCUMENTS;
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::fleet::Fleet;

const MANIFESTS: [&str; 4] =
    ["/.well-known/ai-manifest.json", "/.well-known/agent-policy.json", "/.well-known/ai-plugin.json", "/openapi.json"];

async fn text(client: &Client, path: &str) -> String {
    client.get(path).await.has_status(200).text
}

#[tokio::test]
async fn every_url_is_the_advertised_one_and_a_hostile_host_shows_nowhere() {
    let fixed = Fleet::builder().replicas(1).env("BACKCHANNEL_BASE_URL", "https://bus.example/api/").start().await;
    let open = Fleet::start(1).await;
    let paths = || DOCUMENTS.iter().map(|d| d.path).chain(MANIFESTS).chain(["/", "/status", "/status.html", "/health"]);
    for path in paths() {
        let page = fixed.client().get(path).header("Host", "evil.example").await.has_status(200).text;
        assert!(!page.contains("evil.example") && !page.contains(&fixed.url(0)["http://".len()..]), "{path}");
        let examples = page.matches("://bus.example.com").count(); // in docs/configuration.md
        assert!(page.matches("://bus.example").count() - examples == page.matches("https://bus.example/api").count(), "{path}");
        let hostile = open.client().get(path).header("Host", "evil\"><script>$(id)").await.has_status(200).text;
        assert!(!hostile.contains("evil") && !hostile.contains("$(id)"), "{path}");
    }
    for path in MANIFESTS.into_iter().filter(|path| *path != "/openapi.json").chain(["/status", "/robots.txt"]) {
        let page = text(&fixed.client(), path).await;
        assert!(page.contains("://") && page.matches("://").count() == page.matches("https://bus.example/api").count(), "{path}: {page}");
    }
    let named: Vec<&str> = ["/llms.txt", "/agent-guide", "/humans", "/docs/sla.md"].into_iter().chain(MANIFESTS).collect();
    for path in named {
        assert!(text(&fixed.client(), path).await.contains("https://bus.example/api"), "{path}");
    }
    fixed.finish().await;
    open.finish().await;
}

#[tokio::test]
async fn limits_in_documents_are_those_of_the_settings() {
    let fleet = Fleet::builder()
        .replicas(1)
        .env("BACKCHANNEL_MAX_MESSAGE_BYTES", "4321")
        .env("BACKCHANNEL_RATE_LIMIT", "777")
        .env("BACKCHANNEL_RATE_LIMIT_WINDOW", "120")
        .env("BACKCHANNEL_KEY_MINT_LIMIT", "13")
        .env("BACKCHANNEL_KEY_MINT_WINDOW", "7200")
        .env("BACKCHANNEL_DEFAULT_TTL_SECONDS", "5400")
        .env("BACKCHANNEL_LONGPOLL_MAX_WAIT_SECONDS", "7.5")
        .env("BACKCHANNEL_INSTANCE_KIND", "staging-7")
        .start()
        .await;
    let client = fleet.client();
    for (path, said) in [
        ("/llms.txt", &["4321 bytes", "777 requests in 2 minutes", "13 keys in 2 hours", "90 minutes", "7.5 seconds"][..]),
        ("/agent-guide", &["4321 bytes", "777 requests in 2 minutes", "7.5 seconds", "90 minutes"]),
        ("/docs/sla.md", &["4321 bytes", "777 in 2 minutes", "13 in 2 hours", "90 minutes", "7.5 seconds", "staging-7"]),
        ("/docs/protocol.md", &["4321 bytes", "777 requests in 2 minutes", "7.5 seconds", "default 5400"]),
        ("/status.html", &["4321 bytes", "777 in 2 minutes", "7.5 seconds", "staging-7"]),
    ] {
        let page = text(&client, path).await;
        for words in said {
            assert!(page.contains(words), "{path} does not say {words:?}:\n{page}");
        }
    }
    let manifest = client.get("/ai-manifest.json").await.ok(200);
    assert_eq!(manifest["limits"]["max_content_bytes"], 4321);
    assert_eq!((&manifest["limits"]["requests_per_window"], &manifest["limits"]["window_seconds"]), (&json!(777), &json!(120)));
    assert_eq!(manifest["capabilities"]["long_poll"], json!({ "enabled": true, "max_wait_seconds": 7.5 }));
    fleet.finish().await;

    let unlimited = Fleet::builder().replicas(1).env("BACKCHANNEL_LONGPOLL_ENABLED", "false").start().await;
    let client = unlimited.client();
    for path in ["/llms.txt", "/agent-guide"] {
        let page = text(&client, path).await;
        assert!(!page.contains("requests in") && !page.contains("may mint"), "{path} names limits that there are not");
        assert!(page.contains("at once on this instance") || page.contains("not held on this instance"), "{path}");
    }
    assert_eq!(client.get("/ai-manifest.json").await.ok(200)["capabilities"]["long_poll"]["enabled"], false);
    unlimited.finish().await;
}

#[tokio::test]
async fn documents_tell_of_the_sandbox_where_there_is_one_and_of_its_limits() {
    let limits = [("TTL_SECONDS", "1200"), ("MAX_MESSAGES", "123"), ("MAX_WRITES_PER_MINUTE", "77"), ("HEARTBEAT_SECONDS", "90")];
    let builder = Fleet::builder().replicas(1).env("BACKCHANNEL_SANDBOX", "true");
    let builder = builder.env("BACKCHANNEL_CHANNEL_IDLE_DAYS", "45").env("BACKCHANNEL_SURVEY_KEYS_PER_SECOND", "10");
    let fleet = limits.iter().fold(builder, |b, (name, value)| b.env(&format!("BACKCHANNEL_SANDBOX_{name}"), value)).start().await;
    let page = text(&fleet.client(), "/llms.txt").await;
    for words in ["/v1/channels/sandbox/messages", "20 minutes", "123 messages", "77 messages a minute", "90 seconds"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let protocol = text(&fleet.client(), "/docs/protocol.md").await;
    assert!(protocol.contains("The channel `sandbox`") && protocol.contains("nothing changed for 45 days is deleted"), "{protocol}");
    assert!(text(&fleet.client(), "/humans").await.contains("/v1/channels/sandbox/messages"));
    let sandbox = fleet.client().get("/ai-manifest.json").await.ok(200)["capabilities"]["sandbox"].clone();
    let expected =
        json!({ "channel": "sandbox", "ttl_seconds": 1200, "max_messages": 123, "max_writes_per_minute": 77, "heartbeat_seconds": 90 });
    assert_eq!(sandbox, expected);
    fleet.finish().await;
}

#[tokio::test]
async fn documents_tell_whether_keys_are_minted_on_every_replica_at_once() {
    let fleet = Fleet::builder().env("BACKCHANNEL_ADMIN_TOKEN", "operator").start().await;
    let set = |enabled: bool| fleet.client().post("/v1/admin/minting", json!({ "enabled": enabled })).header("X-Admin-Token", "operator");
    for open in [true, false, true] {
        set(open).await.ok(200);
        for replica in 0..2 {
            let client = fleet.client_on(replica);
            for path in [
                "/llms.txt",
                "/agent-guide",
                "/first-success-prompt.txt",
                "/docs/quickstart.md",
                "/docs/invitations-flow.md",
                "/humans",
                "/",
            ] {
                let page = text(&client, path).await;
                assert_eq!(page.contains("agent_label"), open, "{path}: how to mint is shown only where it works");
                assert_eq!(page.contains("operator of this instance") || page.contains("its operator"), !open, "{path}: whom to ask");
            }
            assert_eq!(text(&client, "/docs/playground").await.contains("id=\"mint\""), open);
            let manifest: Value = client.get("/.well-known/ai-manifest.json").await.ok(200);
            assert_eq!(manifest["auth"]["public_minting_enabled"], open);
            assert_eq!(client.get("/status").await.ok(200)["public_minting_enabled"], open);
        }
    }
    fleet.finish().await;
}

#[tokio::test]
async fn the_manifests_have_what_clients_look_for() {
    let fleet = Fleet::start(1).await;
    let base = fleet.url(0);
    let manifest = fleet.client().get("/.well-known/ai-manifest.json").await.ok(200);
    assert_eq!((&manifest["name"], &manifest["api_version"]), (&json!("Backchannel"), &json!("1.0")));
    for (field, path) in [("openapi_url", "/openapi.json"), ("agent_guide_url", "/agent-guide"), ("llms_txt_url", "/llms.txt")] {
        assert_eq!(manifest[field], format!("{base}{path}"));
    }
    for field in ["auth", "transports", "capabilities", "claim_guarantees"] {
        assert!(!manifest[field].is_null(), "{field}");
    }
    assert_eq!(fleet.client().get("/ai-manifest.json").await.ok(200), manifest);
    let openapi = fleet.client().get("/openapi.json").await.ok(200);
    assert_eq!(fleet.client().get("/.well-known/openapi.json").await.ok(200), openapi);
    assert_eq!(openapi["servers"], json!([{ "url": base }]));
    let plugin = fleet.client().get("/.well-known/ai-plugin.json").await.ok(200);
    assert_eq!((&plugin["schema_version"], &plugin["api"]["url"]), (&json!("v1"), &json!(format!("{base}/openapi.json"))));
    let llms = text(&fleet.client(), "/llms.txt").await;
    for word in ["Backchannel", "/agent-guide", "/openapi.json", "sandbox"] {
        assert!(llms.contains(word), "{word}");
    }
    fleet.finish().await;
}
