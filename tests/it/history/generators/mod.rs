//! Who acts in a run, and how a run goes.

mod asking;
mod calm;
mod claimers;
mod end;
mod holders;
mod posters;
mod pulses;
mod readers;

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::task::JoinHandle;

use super::record::Entry;
use super::world::{CLAIMERS, World};
use crate::support::fleet::Fleet;

/// How the last message of a channel begins: a reader that has seen it has seen all.
pub const LAST: &str = "the last one";
/// Of each calm channel.
const CALM_CLAIMERS: usize = 3;

/// Runs generators while `faults` goes on; afterwards clears up and looks at everything.
pub async fn run(fleet: &Fleet, world: &Arc<World>, faults: impl Future<Output = ()>) -> Vec<Entry> {
    let feeling = pulses::feel(fleet, world);
    let (mut writing, mut reading) = (Vec::new(), Vec::new());
    let (busy, brief) = (&world.busy, &world.brief);
    for i in 0..4 {
        writing.push(tokio::spawn(posters::post(world.clone(), busy.clone(), i)));
        reading.push(tokio::spawn(readers::read(world.clone(), busy.clone(), i, i < 2)));
    }
    for key in 0..world.workers.len() {
        for i in 0..CLAIMERS {
            writing.push(tokio::spawn(claimers::claim(world.clone(), busy.clone(), key, i)));
        }
    }
    for i in 1..3 {
        writing.push(tokio::spawn(posters::post(world.clone(), brief.clone(), i)));
        reading.push(tokio::spawn(readers::read(world.clone(), brief.clone(), i, i == 1)));
    }
    writing.push(tokio::spawn(claimers::claim(world.clone(), brief.clone(), 0, 1)));
    for channel in &world.calm {
        writing.push(tokio::spawn(calm::post(world.clone(), channel.clone())));
        writing.extend((0..CALM_CLAIMERS).map(|i| tokio::spawn(calm::claim(world.clone(), channel.clone(), i))));
        reading.push(tokio::spawn(readers::read(world.clone(), channel.clone(), 0, true)));
    }

    faults.await;
    world.end();
    join_all(writing).await.into_iter().for_each(|ended| ended.expect("a generator does not panic"));
    join_all(world.channels().map(|channel| end::clear_up(world, channel))).await;
    world.close();
    join_all(world.channels().map(|channel| end::look_at_all(fleet, world, channel))).await;
    // A reader that does not get to the last message is stopped: the checks will say what it did not see.
    let stops: Vec<_> = reading.iter().map(|reader| reader.abort_handle()).collect();
    let patience = world.plan.drain + Duration::from_secs(world.plan.wait_s);
    if tokio::time::timeout(patience, join_all(reading)).await.is_err() {
        stops.iter().for_each(|stop| stop.abort());
    }
    feeling.iter().for_each(JoinHandle::abort);
    world.recorder.history()
}
