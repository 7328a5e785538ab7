//! `/status` and `/status.html`: well, and not well.

use serde_json::{Value, json};

use crate::support::fleet::Fleet;
use crate::support::redis::RedisServer;

#[tokio::test]
async fn the_status_has_the_version_and_health_leads_to_it() {
    let fleet = Fleet::start(2).await;
    let status = fleet.client().get("/status").await.ok(200);
    assert_eq!((&status["status"], &status["version"]), (&json!("ok"), &json!(env!("CARGO_PKG_VERSION"))));
    assert_eq!((&status["api_version"], &status["public_minting_enabled"]), (&json!("1.0"), &json!(true)));
    assert!(status["db_latency_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{status}");
    let health = fleet.client_on(1).get("/health").await.ok(200);
    assert_eq!(health["status_url"], format!("{}/status", fleet.url(1)));
    let page = fleet.client().get("/status.html").await.has_status(200).text;
    assert!(page.contains("All well") && page.contains(env!("CARGO_PKG_VERSION")) && !page.contains("Not well"), "{page}");
    fleet.finish().await;
}

#[tokio::test]
async fn without_its_store_the_status_says_so_and_documents_are_served_all_the_same() {
    let redis = RedisServer::start_private(&[]);
    let fleet = Fleet::builder().replicas(1).redis(&redis).start().await;
    redis.kill9();
    let status = fleet.client().get("/status").await.refused(503, "storage_unavailable");
    assert_eq!((&status["status"], &status["version"]), (&json!("degraded"), &json!(env!("CARGO_PKG_VERSION"))));
    assert_eq!((&status["public_minting_enabled"], &status["db_latency_ms"]), (&Value::Null, &Value::Null));
    let page = fleet.client().get("/status.html").await.has_status(503);
    assert!(page.text.contains("Not well") && page.text.contains("not known at the moment") && page.seconds("retry-after") == Some(1));
    for path in ["/", "/llms.txt", "/agent-guide", "/docs/errors.md", "/docs/playground", "/.well-known/ai-manifest.json", "/openapi.json"]
    {
        fleet.client().get(path).await.has_status(200);
    }
    fleet.abandon();
}
