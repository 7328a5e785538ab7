//! The profile smoke, with all scenarios at the same time, over two replicas behind HAProxy.

use super::K6;
use crate::support::fleet::Fleet;
use crate::support::haproxy::Haproxy;

const FLOWS: [&str; 6] = ["handoff", "fan_out", "waiters", "claim_next", "noisy_neighbour", "rooms"];

#[tokio::test]
async fn a_smoke_run_of_k6_over_two_replicas_loses_and_doubles_nothing() {
    let fleet = Fleet::builder()
        .env("BACKCHANNEL_TRUSTED_PROXIES", "127.0.0.0/8")
        // Far more than any key of the run needs but the noisy one.
        .env("BACKCHANNEL_RATE_LIMIT", "300")
        .env("BACKCHANNEL_RATE_LIMIT_WINDOW", "10")
        // Where much else runs, a late answer of Redis is no error.
        .env("BACKCHANNEL_REDIS_TIMEOUT_MS", "15000")
        .start()
        .await;
    let balancer = Haproxy::start(&fleet).await;
    let ran = K6::against(&fleet, &[balancer.url()]).run().await;
    assert_eq!(ran.status, Some(0), "{}\n{:#}", ran.said, ran.summary);
    let count = |name: &str| ran.summary.pointer(name).unwrap_or_else(|| panic!("no {name}: {:#}", ran.summary)).as_u64().unwrap();
    for flow in FLOWS {
        assert!(count(&format!("/flows/{flow}/operations")) > 0, "{flow} did nothing:\n{}", ran.said);
        for zero in ["lost", "duplicate_claims", "duplicate_deliveries", "unaccounted", "unaccounted_marks"] {
            assert_eq!(count(&format!("/flows/{flow}/{zero}")), 0, "{flow}, {zero}:\n{}", ran.said);
        }
    }
    assert!(ran.summary["passed"] == true && ran.summary["errors"] == serde_json::json!({}), "{:#}", ran.summary);
    // Both limits stopped the noise: that of its channel, and that of its key.
    assert!(count("/noise/refused") > 0 && count("/noise/served") > 0, "{:#}", ran.summary["noise"]);
    let mut served = Vec::new();
    for replica in 0..fleet.size() {
        served.push(fleet.metric(replica, "backchannel_requests_total").await.unwrap_or_default());
    }
    // As many in all as a slow machine manages, and each replica had its part.
    let all: f64 = served.iter().sum();
    assert!(all > 500.0 && served.iter().all(|part| *part > all / 4.0), "{served:?}");
    fleet.finish().await;
}
