//! Request ids, traces, HSTS, CORS; what each response has besides is checked by `support/reply.rs` on every reply of every test.

use reqwest::Method;
use serde_json::json;

use crate::support::fleet::Fleet;

#[tokio::test]
async fn request_ids_and_traces_go_on_and_nonsense_is_replaced() {
    let fleet = Fleet::start(2).await;
    let paths = ["/health", "/nowhere", "/v1/keys/me", "/livez", "/metrics"];
    for path in paths {
        for kept in ["a", "job-7.step_2", &"x".repeat(128)] {
            let reply = fleet.client().get(path).header("X-Request-Id", kept).await;
            assert_eq!(reply.header("x-request-id"), Some(kept), "{path}");
            if reply.status >= 400 {
                assert_eq!(reply.body["request_id"], kept);
            }
        }
        for replaced in ["", "two words", "semi;colon", "<script>", "\"quoted\"", &"x".repeat(129)] {
            let reply = fleet.client().get(path).header("X-Request-Id", replaced).await;
            let id = reply.header("x-request-id").unwrap();
            assert!(id != replaced && id.starts_with("req_"), "{path}: {replaced:?} became {id:?}");
        }
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let reply = fleet.client().get(path).header("traceparent", &format!("00-{trace}-{span}-01")).await;
        let traceparent = reply.header("traceparent").unwrap();
        assert_eq!((&traceparent[3..35], &traceparent[53..]), (trace, "01"));
        assert_ne!(&traceparent[36..52], span, "a span of our own");
        for bad in ["nonsense", "00-0-0-0", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"] {
            let reply = fleet.client().get(path).header("traceparent", bad).await;
            assert!(!reply.header("traceparent").unwrap().starts_with(bad), "{bad}");
        }
    }
    let mut ids = std::collections::HashSet::new();
    for _ in 0..50 {
        assert!(ids.insert(fleet.client().get("/livez").await.header("x-request-id").unwrap().to_owned()), "each its own");
    }
    fleet.finish().await;
}

#[tokio::test]
async fn hsts_is_told_only_to_who_came_over_tls() {
    let fleet = Fleet::builder().replicas(1).env("BACKCHANNEL_TRUSTED_PROXIES", "127.0.0.1").start().await;
    let strict = async |proto: Option<&str>| {
        let ask = fleet.client().get("/health");
        let ask = if let Some(proto) = proto { ask.header("X-Forwarded-Proto", proto) } else { ask };
        ask.await.header("strict-transport-security").is_some()
    };
    assert!(strict(Some("https")).await);
    assert!(!strict(Some("http")).await && !strict(None).await && !strict(Some("nonsense")).await);
    fleet.finish().await;
    let fleet = Fleet::start(1).await;
    let reply = fleet.client().get("/health").header("X-Forwarded-Proto", "https").await;
    assert_eq!(reply.header("strict-transport-security"), None, "nobody trusted said so");
    fleet.finish().await;
}

#[tokio::test]
async fn a_browser_may_call_every_operation() {
    let fleet = Fleet::start(1).await;
    let mut paths: Vec<&str> = backchannel::router::operations().iter().map(|operation| operation.path).collect();
    paths.extend(["/livez", "/startupz", "/readyz", "/metrics"]);
    paths.extend(backchannel::documents::paths());
    for path in paths {
        let concrete: Vec<&str> = path.split('/').map(|segment| if segment.starts_with('{') { "some-id" } else { segment }).collect();
        let reply = fleet.client().ask(Method::OPTIONS, &concrete.join("/")).header("Origin", "https://app.example").await;
        assert_eq!(reply.status, 204, "{path}");
        assert_eq!(reply.header("access-control-allow-methods"), Some("GET, POST, PUT, PATCH, DELETE, OPTIONS"));
        let headers = "Content-Type, X-API-Key, Authorization, Idempotency-Key, X-Admin-Token, traceparent";
        assert_eq!(reply.header("access-control-allow-headers"), Some(headers));
        assert_eq!(reply.seconds("access-control-max-age"), Some(86_400));
    }
    for unknown in ["/v1", "/v1/nowhere", "/v1/channels/x/nowhere", "/v1/channels/"] {
        fleet.client().ask(Method::OPTIONS, unknown).await.refused(404, "not_found");
    }
    // The real call, with an error as well: the page can read both.
    let issued = fleet.client().post("/v1/keys", json!({ "agent_label": "browser" })).header("Origin", "https://app.example").await;
    assert_eq!(issued.header("access-control-allow-origin"), Some("*"));
    let exposed = issued.header("access-control-expose-headers").unwrap().to_ascii_lowercase();
    for name in ["x-request-id", "retry-after", "x-ratelimit-remaining", "x-idempotent-replay"] {
        assert!(exposed.contains(name), "{name}");
    }
    fleet.finish().await;
}
