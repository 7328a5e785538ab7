//! `/v1/messages/{id}/claim`, `…/claim-with-lease`, `…/release`, `…/ack`, `/v1/leases/{token}/heartbeat`

mod ack;
mod ack_result;
mod claim;
mod fencing;
mod heartbeat;
mod lease;
mod release;

use std::time::Duration;

use serde_json::Value;

use crate::support::client::Agent;
use crate::support::wait::eventually;

/// Waits for an end of lease or time to live that is a second or two away.
const SOON: Duration = Duration::from_secs(10);
/// Well formed, and of no message.
const NO_MESSAGE: &str = "msg_aaaaaaaaaaaaaaaaaaaa1760000000123456";

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

/// Waits until a channel shows this many unclaimed messages.
async fn unclaimed(agent: &Agent, channel: &str, count: usize) {
    eventually(&format!("{count} unclaimed"), SOON, || async move {
        let page = agent.list(channel, "status=unclaimed").await.ok(200);
        page["data"].as_array().map(Vec::len) == Some(count)
    })
    .await;
}

/// Waits until a message has outlived its channel's time to live.
async fn expired(agent: &Agent, channel: &str) {
    eventually("the message has expired", SOON, || async move { agent.list(channel, "").await.ok(200)["data"] == serde_json::json!([]) })
        .await;
}
