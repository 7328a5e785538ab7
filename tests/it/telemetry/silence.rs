//! When nothing, or less, is to be exported, and when it cannot be.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpListener;

use crate::support::collector::{Collector, Seen};
use crate::support::fleet::{Builder, Fleet};
use crate::support::process::free_port;
use crate::support::tls::Tls;
use crate::support::wait::eventually;

const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const NOT_SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

fn one_replica(endpoint: &str) -> Builder {
    Fleet::builder().replicas(1).env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).env("OTEL_BSP_SCHEDULE_DELAY", "50")
}

/// A handoff, and whether the answers carry the caller's trace on.
async fn hands_over(fleet: &Fleet, traceparent: &str) {
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;
    let posted = agent.post_to(&channel, json!({ "content": "x" })).header("traceparent", traceparent).await;
    let answer = posted.header("traceparent").expect("a traceparent").to_owned();
    let id = posted.ok(201)["message"]["id"].as_str().expect("an id").to_owned();
    agent.claim(&id).header("traceparent", traceparent).await.ok(200);
    assert_eq!((&answer[3..35], &answer[53..]), (&traceparent[3..35], &traceparent[53..]), "the caller's trace goes on");
    assert_ne!(&answer[36..52], &traceparent[36..52]);
}

#[tokio::test]
async fn what_cannot_be_done_is_said_at_the_start_and_nothing_is_connected() {
    let collector = Collector::start().await;
    let fleet = one_replica(&collector.url()).env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc").start().await;
    hands_over(&fleet, SAMPLED).await;
    assert!(fleet.log(0).contains("OTEL_EXPORTER_OTLP_PROTOCOL is \\\"grpc\\\""), "{}", fleet.log(0));
    fleet.finish().await;
    assert_eq!(collector.requests(), 0);
}

#[tokio::test]
async fn a_ratio_of_nothing_exports_what_callers_ask_for_and_the_rest_leaves_at_the_end() {
    let collector = Collector::start().await;
    let is_claim = |span: &Seen| span.name == "POST /v1/messages/{message_id}/claim" && span.links.len() == 1;
    // A replica that ends gives its last spans three seconds, and a busy machine may stand still for as long: then it is tried again.
    for _ in 0..3 {
        let fleet = one_replica(&collector.url())
            .env("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
            .env("OTEL_TRACES_SAMPLER_ARG", "0")
            .env("OTEL_BSP_SCHEDULE_DELAY", "600000")
            .env("OTEL_SERVICE_NAME", "bus")
            .env("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip")
            .start()
            .await;
        let before = collector.requests();
        hands_over(&fleet, NOT_SAMPLED).await;
        hands_over(&fleet, SAMPLED).await;
        assert_eq!(collector.requests(), before, "it is not time");
        fleet.finish().await;
        if collector.spans().iter().any(is_claim) {
            break;
        }
    }
    let spans = collector.spans();
    assert!(collector.headers().iter().all(|headers| headers["content-encoding"] == "gzip"));
    let of_caller = spans.iter().filter(|span| span.trace == SAMPLED[3..35]).count();
    assert_eq!(spans.len(), of_caller, "only what a caller asked for: {spans:?}");
    assert!(spans.iter().any(is_claim), "{spans:?}");
    assert!(spans.iter().all(|span| span.resource["service.name"] == "bus"));
}

#[tokio::test]
async fn a_ratio_of_nothing_of_its_own_is_nothing() {
    let collector = Collector::start().await;
    let sampler = one_replica(&collector.url()).env("OTEL_TRACES_SAMPLER", "traceidratio").env("OTEL_TRACES_SAMPLER_ARG", "0");
    let fleet = sampler.start().await;
    hands_over(&fleet, NOT_SAMPLED).await;
    fleet.finish().await;
    assert_eq!(collector.requests(), 0);
}

#[tokio::test]
async fn a_collector_that_is_away_is_told_once_and_requests_go_on() {
    let fleet = one_replica(&format!("http://127.0.0.1:{}", free_port())).start().await;
    let told = || fleet.log(0).matches("traces cannot be exported").count();
    hands_over(&fleet, SAMPLED).await;
    eventually("it is told", Duration::from_secs(30), || async { told() > 0 }).await;
    for _ in 0..5 {
        hands_over(&fleet, SAMPLED).await;
        tokio::time::sleep(Duration::from_millis(100)).await; // another export fails
    }
    assert_eq!(told(), 1, "{}", fleet.log(0));
    assert!(!fleet.log(0).contains("BatchSpanProcessor"), "{}", fleet.log(0));
    fleet.finish().await;
}

#[tokio::test]
async fn over_tls_spans_go_only_to_a_collector_whose_authority_is_named() {
    let (known, stranger) = (Tls::new(), Tls::new());
    let collector = Collector::start_with_tls(&known).await;
    let fleet = one_replica(&collector.url()).env("OTEL_EXPORTER_OTLP_CERTIFICATE", &stranger.authority()).start().await;
    hands_over(&fleet, SAMPLED).await;
    let told = || fleet.log(0).contains("traces cannot be exported");
    eventually("that it is not believed is told", Duration::from_secs(30), || async { told() }).await;
    assert_eq!(collector.requests(), 0);

    // That for traces wins.
    let traces = ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", known.authority());
    fleet.terminate(0).await;
    fleet.restart_with(0, &[(traces.0, &traces.1)]).await;
    hands_over(&fleet, SAMPLED).await;
    collector.finds("POST /v1/messages/{message_id}/claim", |span| span.trace == SAMPLED[3..35]).await;

    let nowhere = known.dir().join("nowhere.pem").display().to_string();
    fleet.terminate(0).await;
    fleet.restart_with(0, &[(traces.0, &nowhere)]).await;
    let before = collector.requests();
    hands_over(&fleet, SAMPLED).await;
    assert!(fleet.log(0).contains("authorities of traces' collector cannot be read; there is no tracing"), "{}", fleet.log(0));
    fleet.finish().await;
    assert_eq!(collector.requests(), before);
}

#[tokio::test]
async fn a_collector_that_never_answers_keeps_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let silent = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    // So small that it is full after a few spans. Who waited for the collector would wait for a minute.
    let fleet = one_replica(&endpoint).env("OTEL_BSP_MAX_QUEUE_SIZE", "4").env("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2");
    let fleet = fleet.env("OTEL_EXPORTER_OTLP_TIMEOUT", "60000").start().await;
    let began = Instant::now();
    for _ in 0..5 {
        hands_over(&fleet, SAMPLED).await;
    }
    assert!(began.elapsed() < Duration::from_secs(28), "{:?}", began.elapsed());
    let began = Instant::now();
    fleet.terminate(0).await;
    assert!(began.elapsed() < Duration::from_secs(15), "the last spans keep a process for three seconds at most: {:?}", began.elapsed());
    silent.abort();
    fleet.finish().await;
}
