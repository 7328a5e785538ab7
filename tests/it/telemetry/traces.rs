//! A task on its way through two replicas and a worker, as a collector sees it.

use std::time::Duration;

use serde_json::json;

use crate::support::client::Agent;
use crate::support::collector::{Collector, Seen};
use crate::support::fleet::{Builder, Fleet};
use crate::support::receiver::Receiver;
use crate::support::wait::eventually;
use crate::support::worker::Worker;

const CLIENT_TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT_SPAN: &str = "00f067aa0ba902b7";
const CONTENT: &str = "quokka-content-9120";
const LABEL: &str = "quokka-label-9120";
const POST: &str = "POST /v1/channels/{identifier}/messages";

fn traced(collector: &Collector) -> Builder {
    Fleet::builder().env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url()).env("OTEL_BSP_SCHEDULE_DELAY", "100")
}

fn of_client() -> String {
    format!("00-{CLIENT_TRACE}-{CLIENT_SPAN}-01")
}

/// The script of a request, by its name.
async fn script_of(collector: &Collector, request: &Seen, script: &str) -> Seen {
    let found = collector.finds(script, |span| span.trace == request.trace && span.parent == request.id).await;
    assert_eq!((found.kind, found.attribute("db.system.name"), found.attribute("db.operation.name")), (3, "redis", script), "{found:?}");
    found
}

#[tokio::test]
async fn a_post_is_found_from_its_claim_and_its_webhook_and_nothing_private_leaves() {
    let collector = Collector::start().await;
    let fleet = traced(&collector).env("OTEL_EXPORTER_OTLP_HEADERS", "x-collector-token=quokka%20pass").start().await;
    let (worker, receiver) = (Worker::start(&fleet, &[]).await, Receiver::start().await);
    let (poster, taker) = (fleet.agent("poster").await, fleet.agent("taker").await);
    let hook = json!({ "mode": "claimable", "webhook_url": receiver.url(), "webhook_secret": "quokka-secret-9120" });
    let channel = poster.channel_with(hook).await;

    // Somebody waits on one replica, the task comes through the other one.
    let waiting = tokio::spawn({
        let (taker, channel) = (taker.on(1), channel.clone());
        async move { taker.claim_next(&channel, json!({ "lease_seconds": 600, "wait": 25 })).await }
    });
    eventually("it waits", Duration::from_secs(15), || async { fleet.metric(1, "backchannel_waiters").await == Some(1.0) }).await;
    let body = json!({ "content": CONTENT, "actor_label": LABEL });
    let posted = poster.on(0).post_to(&channel, body).header("traceparent", &of_client()).header("tracestate", "vendor=1").await;
    let answered = posted.header("traceparent").expect("a traceparent").to_owned();
    posted.ok(201);

    let post = collector.finds(POST, |span| span.trace == CLIENT_TRACE).await;
    assert_eq!((post.kind, post.parent.as_str(), post.failed, post.events), (2, CLIENT_SPAN, false, 0), "{post:?}");
    assert_eq!(post.state, "vendor=1");
    assert_eq!(post.traceparent(), answered, "the answer names the request's span");
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/v1/channels/{identifier}/messages"),
        ("http.response.status_code", "201"),
        ("backchannel.operation", "createMessage"),
    ] {
        assert_eq!(post.attribute(name), value, "{post:?}");
    }
    assert!(post.attribute("backchannel.request_id").starts_with("req_"), "{post:?}");
    assert_eq!(
        (post.resource["service.name"].as_str(), post.resource["service.version"].as_str()),
        ("backchannel", env!("CARGO_PKG_VERSION"))
    );
    script_of(&collector, &post, "messages/post").await;

    // The claim is its own trace, with a link.
    let claimed = waiting.await.expect("no panic");
    let of_claim = claimed.header("traceparent").expect("a traceparent").to_owned();
    let claimed = claimed.ok(200);
    let claim = collector.finds("POST /v1/tasks/claim", |span| of_claim == span.traceparent()).await;
    assert_eq!((claim.links.as_slice(), claim.parent.as_str()), ([post.place()].as_slice(), ""), "{claim:?}");
    assert_ne!(claim.trace, post.trace, "the claimer learns nothing of the poster's trace");
    assert_ne!(claim.resource["service.instance.id"], post.resource["service.instance.id"], "another replica");
    script_of(&collector, &claim, "claims/next").await;

    // So is the delivery, and what the receiver is told is its span.
    let got = &receiver.gets(1, Duration::from_secs(20)).await[0];
    let delivery = collector.finds("POST webhook", |_| true).await;
    assert_eq!((delivery.links.as_slice(), delivery.kind), ([post.place()].as_slice(), 3), "{delivery:?}");
    assert_eq!(got.header("traceparent"), delivery.traceparent());
    assert_ne!(delivery.trace, post.trace);
    let port = receiver.url().rsplit_once(':').and_then(|(_, rest)| rest.split_once('/')).expect("a port").0.to_owned();
    for (name, value) in [
        ("backchannel.delivery.id", got.id()),
        ("backchannel.delivery.event", "message.created"),
        ("backchannel.delivery.attempt", "1"),
        ("server.address", "127.0.0.1"),
        ("server.port", &port),
        ("http.response.status_code", "200"),
    ] {
        assert_eq!(delivery.attribute(name), value, "{delivery:?}");
    }

    // Nobody is shown that anything is kept with the message.
    let page = taker.get(&format!("/v1/channels/{channel}/messages")).await.ok(200);
    assert_eq!(page["data"][0]["actor_label"], LABEL);
    assert!(!page.to_string().contains(CLIENT_TRACE) && !got.text.contains(CLIENT_TRACE) && !claimed.to_string().contains(CLIENT_TRACE));

    claims_by_id_link_too(&collector, &poster, &taker).await;
    let token = refusals_have_their_codes(&collector, &fleet, &taker, &claimed).await;

    let key = |agent: &Agent| agent.key.split_once('.').expect("a secret").1.to_owned();
    let lease = claimed["lease_token"].as_str().expect("a lease").rsplit_once('_').expect("a secret").1.to_owned();
    for private in [&key(&poster), &key(&taker), &lease, &token, "quokka", &channel, "/hook"] {
        assert!(!collector.got_text(private), "{private:?} left the process");
    }
    assert!(collector.got_text("createMessage"), "it is searched where it would be found");
    assert!(collector.headers().iter().all(|headers| headers["x-collector-token"] == "quokka pass"));
    assert!(!fleet.log(0).contains("quokka"));
    drop(worker);
    fleet.finish().await;
}

async fn claims_by_id_link_too(collector: &Collector, poster: &Agent, taker: &Agent) {
    let channel = poster.channel("claimable").await;
    for path in ["claim", "claim-with-lease", "claim-and-ack"] {
        let posted = poster.on(1).post_to(&channel, json!({ "content": CONTENT })).await;
        let posted_at = posted.header("traceparent").expect("a traceparent").to_owned();
        let id = posted.ok(201)["message"]["id"].as_str().expect("an id").to_owned();
        let reply = match path {
            "claim" => taker.on(0).claim(&id).await,
            "claim-with-lease" => taker.on(0).claim_with_lease(&id, 60).await,
            _ => taker.on(0).post("/v1/tasks/claim-and-ack", json!({ "message_id": id })).await,
        };
        let claimed_at = reply.header("traceparent").expect("a traceparent").to_owned();
        reply.ok(200);
        let route =
            if path == "claim-and-ack" { format!("POST /v1/tasks/{path}") } else { format!("POST /v1/messages/{{message_id}}/{path}") };
        let claim = collector.finds(&route, |span| span.traceparent() == claimed_at).await;
        assert_eq!(claim.links.len(), 1, "{claim:?}");
        assert_eq!(format!("00-{}-{}-01", claim.links[0].0, claim.links[0].1), posted_at, "{claim:?}");
    }
}

/// Returns a token that stood in a query.
async fn refusals_have_their_codes(collector: &Collector, fleet: &Fleet, taker: &Agent, claimed: &serde_json::Value) -> String {
    let lease = claimed["lease_token"].as_str().expect("a lease");
    taker.heartbeat(lease, 60).await.ok(200);
    collector.finds("POST /v1/leases/{lease_token}/heartbeat", |span| span.attribute("http.response.status_code") == "200").await;
    taker.get("/v1/channels/quokka-name-9120").await.refused(404, "channel_not_found");
    let refused = collector.finds("GET /v1/channels/{identifier}", |span| span.attribute("http.response.status_code") == "404").await;
    assert_eq!((refused.attribute("backchannel.error_code"), refused.failed), ("channel_not_found", false), "{refused:?}");
    taker.get("/quokka-nowhere-9120").await.refused(404, "not_found");
    let unmatched = collector.finds("GET", |_| true).await;
    assert_eq!(unmatched.attribute("http.route"), "", "{unmatched:?}");

    let room = fleet.client().ask(reqwest::Method::POST, "/channels").await.ok(200);
    let (id, token) = (room["channel_id"].as_str().expect("an id"), room["token"].as_str().expect("a token"));
    fleet.client().get(&format!("/channels/{id}/poll?token={token}&participant_id=quokka-9120&since=0")).await.has_status(400);
    collector.finds("GET /channels/{id}/poll", |span| span.attribute("http.response.status_code") == "400").await;
    let probes = ["/metrics", "/livez", "/readyz"];
    assert!(collector.spans().iter().all(|span| !probes.contains(&span.attribute("http.route"))), "probes are not traced");
    token.to_owned()
}
