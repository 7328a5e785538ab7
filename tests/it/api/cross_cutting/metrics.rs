//! `/metrics`: what operators build on.

use serde_json::json;

use crate::support::fleet::Fleet;
use crate::support::process::free_port;

#[tokio::test]
async fn requests_are_counted_by_path_template_and_nothing_of_a_caller_shows() {
    let fleet = Fleet::start(1).await;
    let agent = fleet.agent("metered").await;
    let channel = agent.channel_with(json!({ "name": "metered-channel", "mode": "claimable" })).await;
    let message = agent.post_message(&channel, "content-of-a-task").await;
    let lease = agent.claim_with_lease(&message, 60).await.ok(200)["lease_token"].as_str().unwrap().to_owned();
    agent.heartbeat(&lease, 60).await.ok(200);
    agent.ack(&message).await.ok(200);
    agent.get("/v1/channels/metered-channel").await.ok(200);
    agent.get("/some/unknown-path-of-a-scanner").await.has_status(404);
    agent.ask("BREW".parse().unwrap(), "/v1/keys").await.has_status(405);
    let page = fleet.client().get("/metrics").await.has_status(200);
    assert!(page.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    for line in [
        "backchannel_requests_total{method=\"POST\",path=\"/v1/channels/{id}/messages\",status=\"201\"} 1",
        "backchannel_requests_total{method=\"POST\",path=\"/v1/messages/{id}/claim-with-lease\",status=\"200\"} 1",
        "backchannel_requests_total{method=\"POST\",path=\"/v1/leases/{id}/heartbeat\",status=\"200\"} 1",
        "backchannel_requests_total{method=\"GET\",path=\"/v1/channels/{id}\",status=\"200\"} 1",
        "backchannel_request_duration_seconds_count{method=\"POST\",path=\"/v1/messages/{id}/ack\"} 1",
        "backchannel_waiters 0",
        "backchannel_redis_up 1",
    ] {
        assert!(page.text.lines().any(|l| l == line), "{line}\n{}", page.text);
    }
    for private in [&channel, &message, &lease, &agent.key, &agent.key_id, &agent.label] {
        assert!(!page.text.contains(private.as_str()), "{private}");
    }
    for word in ["metered-channel", "content-of-a-task", "unknown-path", "BREW"] {
        assert!(!page.text.contains(word), "{word}: a label anybody can choose is a memory leak");
    }
    // Each metric says what it is.
    for sample in page.text.lines().filter(|line| line.starts_with("backchannel_")) {
        let name = sample.split(['{', ' ']).next().unwrap();
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        for kind in ["HELP", "TYPE"] {
            assert!(page.text.contains(&format!("# {kind} {family} ")), "{kind} of {family}");
        }
    }
    fleet.finish().await;
}

#[tokio::test]
async fn metrics_can_stand_on_the_operators_own_port() {
    let port = free_port();
    let fleet = Fleet::builder().replicas(1).env("BACKCHANNEL_METRICS_PORT", &port.to_string()).start().await;
    fleet.client().get("/metrics").await.refused(404, "not_found");
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let get = async |path: &str| http.get(format!("http://127.0.0.1:{port}{path}")).send().await.unwrap();
    assert!(get("/metrics").await.text().await.unwrap().contains("backchannel_requests_total"));
    assert_eq!(get("/livez").await.status().as_u16(), 200);
    assert_eq!(get("/readyz").await.status().as_u16(), 200);
    assert_eq!(get("/v1/keys/me").await.status().as_u16(), 404, "nothing of the API");
    fleet.abandon(); // finish() reads the waiters from /metrics
}
