//! The slot of a busy channel moves to another server in the middle of load: nothing is lost, nothing doubled, waiters go with it.

use std::time::Duration;

use tokio::time::sleep;

use super::cluster::Cluster;
use crate::history::runs::soak_on;
use crate::history::trouble::Trouble;

impl Cluster {
    /// Moves a slot as `redis-cli --cluster reshard` does, key by key, while it is used.
    async fn move_slot(&self, slot: usize, to: usize) {
        let from = self.owner(slot).expect("each slot has an owner");
        let (source, target, text) = (&self.servers[from], &self.servers[to], slot.to_string());
        let _: () = target.run(&["CLUSTER", "SETSLOT", &text, "IMPORTING", self.id(from)]);
        let _: () = source.run(&["CLUSTER", "SETSLOT", &text, "MIGRATING", self.id(to)]);
        let port = target.port().to_string();
        loop {
            let keys: Vec<String> = source.run(&["CLUSTER", "GETKEYSINSLOT", &text, "1"]);
            let Some(key) = keys.first() else { break };
            let _: String = source.run(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]);
            // For a while a channel lies on two servers.
            sleep(Duration::from_millis(40)).await;
        }
        for server in [target, source] {
            let _: () = server.run(&["CLUSTER", "SETSLOT", &text, "NODE", self.id(to)]);
        }
    }
}

#[tokio::test]
async fn promises_hold_while_the_slots_of_busy_channels_move_and_come_back() {
    // Of its own: others would now and then be told to ask again.
    let cluster = Cluster::start(15_000);
    let run = async |mut trouble: Trouble<'_>| {
        let channels: Vec<_> = [&trouble.world.busy, &trouble.world.calm[0], &trouble.world.calm[1]].map(|c| c.id.clone()).to_vec();
        let mut slots: Vec<_> = channels.iter().map(|channel| cluster.slot(channel)).collect();
        slots.sort_unstable();
        slots.dedup(); // two of them may share one, which moves once
        trouble.some_ms(1000, 1500).await;
        let homes: Vec<_> = slots.iter().map(|slot| cluster.owner(*slot).expect("each slot has an owner")).collect();
        for round in 1..=2 {
            for (slot, home) in slots.iter().zip(&homes) {
                let fault = async {
                    let before = trouble.subscriptions();
                    cluster.move_slot(*slot, if round == 1 { (home + 1) % 3 } else { *home }).await;
                    trouble.subscribed_again(&before).await;
                };
                trouble.recorder().fault("moving slot", None, fault).await;
                sleep(Duration::from_millis(300)).await;
            }
        }
    };
    soak_on("reshard", || cluster.fleet().replicas(3), run).await;
}
