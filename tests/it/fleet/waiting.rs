//! Long-poll and waiting claims across replicas.

mod claims;
mod hang_up;
mod limits;
mod lists;
mod losses;
mod receipts;

use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinHandle;

use crate::support::client::Ask;
use crate::support::fleet::Fleet;
use crate::support::reply::Reply;
use crate::support::wait::eventually;

/// For what should take a moment. Less than a waiter's own second look (25 s), so that a lost wake-up shows.
const SOON: Duration = Duration::from_secs(12);

/// Sends a request and lets it wait while the test goes on.
fn held(ask: Ask) -> JoinHandle<Reply> {
    tokio::spawn(async move { ask.await })
}

/// Waits until each replica holds this many long-polls.
async fn waiters(fleet: &Fleet, expected: &[usize]) {
    for (replica, &expected) in expected.iter().enumerate() {
        eventually(&format!("{expected} wait at replica {replica}"), SOON, || async move {
            fleet.metric(replica, "backchannel_waiters").await == Some(expected as f64)
        })
        .await;
    }
    // They are counted a moment before they have subscribed and looked once more. Too short, and a lost wake-up is not seen; no test fails.
    tokio::time::sleep(Duration::from_millis(100)).await;
}

/// What a waiter was answered, well before it would have looked again by itself.
async fn answer(waiter: JoinHandle<Reply>) -> Reply {
    tokio::time::timeout(SOON, waiter).await.expect("a waiter is still waiting").unwrap()
}

fn contents(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|message| message["content"].as_str().unwrap()).collect()
}
