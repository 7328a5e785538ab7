//! Loops whose service is in trouble: they back off, and go on.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;

use super::shell::{SOON, Shell};
use crate::support::balancer::Balancer;
use crate::support::fleet::Fleet;
use crate::support::process::{scratch, unique};
use crate::support::wait::eventually;

/// What a proxy answers in place of the service: status, headers, body, and the seconds that a loop stays away for at least.
const TROUBLES: [(&str, &str, &str, &str, u64); 6] = [
    ("bash", "503 Service Unavailable", "Retry-After: 4\r\n", "{\"error\": \"storage_unavailable\", \"retry_after_sec\": 4}", 4),
    ("zsh", "429 Too Many Requests", "retry-after: 3\r\n", "{\"error\": \"rate_limited\", \"retry_after_sec\": 3}", 3),
    ("bash", "502 Bad Gateway", "", "<html>no replica</html>", 2),
    ("bash", "404 Not Found", "", "<html>no such backend</html>", 2),
    ("dash", "200 OK", "", "<html>pay for this network</html>", 2),
    ("bash", "", "", "", 2),
];

#[tokio::test]
async fn a_loop_backs_off_while_the_service_is_in_trouble_and_then_goes_on() {
    let fleet = Fleet::builder().env("CH_POLL_TIMEOUT_MS", "1000").start().await;
    let each = TROUBLES.map(async |(shell, status, headers, body, away)| {
        let base = Balancer::start(&fleet).await;
        let ada = Shell::start(shell, base.url(), &scratch().join(format!("rooms-{}/ada", unique())), None).await;
        let room = ada.room(fleet.client());
        let eve = room.joined("eve").await;
        let sealed =
            [ada.seals_for("eve", &json!({ "text": "before" }).to_string()).await, ada.seals_for("eve", "{\"text\":\"after\"}").await];
        room.send(&eve, &sealed[0]).await.ok(200);
        ada.prints("BROADCAST from=eve").await;
        base.answer_instead(status, headers, body);
        eventually("the loop asks again and again", SOON, || async { base.answered_at().len() >= 3 }).await;
        room.send(&eve, &sealed[1]).await.ok(200);
        base.pass_on();
        eventually("the loop goes on", SOON, || async { ada.lines().iter().any(|l| l.ends_with("preview=after")) }).await;
        let at = base.answered_at();
        let pauses: Vec<Duration> = at.windows(2).map(|two| two[1] - two[0]).collect();
        let least = Duration::from_secs(away);
        assert!(pauses.iter().all(|pause| *pause >= least) && pauses[1] >= Duration::from_secs(4).max(least), "{status}: {pauses:?}");
        assert_eq!(ada.lines().len(), 2, "{status}: {:?}", ada.lines());
    });
    join_all(each).await;
    fleet.finish().await;
}

#[tokio::test]
async fn what_is_said_while_the_service_is_in_trouble_is_said_once_when_it_is_over() {
    let fleet = Fleet::builder().env("CH_POLL_TIMEOUT_MS", "1000").start().await;
    let base = Balancer::start(&fleet).await;
    let ada = Shell::bootstrap("bash", base.url(), &scratch().join(format!("rooms-{}/ada", unique())), None).await;
    let room = ada.room(fleet.client());
    base.answer_instead("429 Too Many Requests", "Retry-After: 3\r\n", "{\"error\": \"rate_limited\", \"retry_after_sec\": 3}");
    let both = tokio::join!(ada.does(&[], "agentalk_say 'patience'"), async {
        eventually("it was refused", SOON, || async { !base.answered_at().is_empty() }).await;
        base.pass_on();
        base.answered_at()[0].elapsed()
    });
    assert_eq!(both.0.trim(), "1");
    let eve = room.joined("eve").await;
    let page = room.poll(&eve, 0).await.ok(200);
    let sent: Vec<u64> = page["messages"].as_array().unwrap().iter().map(|m| m["timestamp"].as_u64().unwrap()).collect();
    assert!(page["messages"][1]["type"] == "message" && sent.len() == 3, "{page}");
    assert!(sent[1] - sent[0] >= 3000, "it came back before it was to: {page}");
    fleet.finish().await;
}
