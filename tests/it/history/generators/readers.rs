//! Who follows a channel by its cursor.

use std::sync::Arc;
use std::time::Duration;

use super::super::record::{Entry, Op};
use super::super::world::{Channel, World};
use super::LAST;
use super::asking::{PATIENCE, PAUSE, shown};

/// Who reads up to the last message: one that waits for messages, or one that looks now and then.
pub async fn read(world: Arc<World>, channel: Channel, number: u64, waits: bool) {
    let name = format!("{}-reader-{number}", channel.label);
    let mut dice = world.dice_of(&channel, 200 + number);
    let mut cursor = String::new();
    let (op, wait) = if waits { (Op::WaitingPage, world.plan.wait_s) } else { (Op::Page, 0) };
    // The last message of a channel may expire before it is seen.
    while !(channel.is_brief() && world.is_closed()) {
        let limit = 1 + dice.roll(15);
        let wait = if channel.is_brief() { wait.min(1) } else { wait };
        let query = format!("limit={limit}&wait={wait}&cursor={cursor}");
        // At one replica, so that it is known who owed it a wake-up.
        let replica = dice.pick(world.addresses.len());
        let mut entry = Entry { max: limit, replica: Some(replica), ..Entry::of(&name, op, &channel.id) };
        let ask = world.reader.list(&channel.id, &query).on(replica);
        let page = world.recorder.perform(&mut entry, ask, PATIENCE + Duration::from_secs(wait), true).await;
        entry.shown = shown(&page);
        if entry.is_ok() {
            cursor = page["next_cursor"].as_str().unwrap_or_default().to_owned();
        }
        world.recorder.keep(&entry);
        if entry.shown.iter().any(|m| m.content.starts_with(LAST)) {
            return;
        }
        if !entry.is_ok() {
            tokio::time::sleep(PAUSE).await;
        } else if !waits {
            dice.pause(3 * world.plan.pause_ms).await;
        }
    }
}
