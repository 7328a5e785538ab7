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
use crate::support::fleet::Fleet;
use crate::support::keyspace::set_of_channel;
use crate::support::wait::eventually;

/// Waits for an end of lease or time to live that is a second or two away.
const SOON: Duration = Duration::from_secs(30);
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

/// Lets messages live for a second from now on, and waits until the time of all that are there is up. They are made with a long one: a busy
/// machine would not get done in a second what a test does before.
async fn expire(fleet: &Fleet, agent: &Agent, channel: &str) {
    set_of_channel(fleet.redis(), &format!("{}{{{channel}}}:meta", fleet.prefix()), "ttl", "1");
    eventually("the message has expired", SOON, || async move { agent.list(channel, "").await.ok(200)["data"] == serde_json::json!([]) })
        .await;
}
