//! What is broken in a run, one thing after another, and when it is whole again. Each is written down as a fault.

use std::time::Duration;

use tokio::time::sleep;

use super::record::Recorder;
use super::world::{Dice, World};
use crate::support::fleet::Fleet;
use crate::support::wait::eventually;

/// Within seconds, on a busy machine.
const WHOLE_AGAIN: Duration = Duration::from_secs(20);

/// A fleet under trouble.
pub struct Trouble<'a> {
    pub fleet: &'a Fleet,
    pub world: &'a World,
    pub dice: Dice,
}

impl Trouble<'_> {
    pub async fn some_ms(&mut self, least: u64, most: u64) {
        sleep(Duration::from_millis(least + self.dice.roll(most - least))).await;
    }

    /// A replica dies in the middle of what it does, and comes back.
    pub async fn kill_a_replica(&mut self) {
        let (replica, down) = (self.dice.pick(self.fleet.size()), 50 + self.dice.roll(250));
        let fault = async {
            self.fleet.kill9(replica);
            sleep(Duration::from_millis(down)).await;
            self.fleet.restart(replica).await;
        };
        self.recorder().fault("killed replica", Some(replica), fault).await;
    }

    /// Longer than leases and the patience of clients.
    pub async fn freeze_a_replica(&mut self) {
        let (replica, frozen) = (self.dice.pick(self.fleet.size()), 1500 + self.dice.roll(1500));
        let fault = async {
            self.fleet.freeze(replica);
            sleep(Duration::from_millis(frozen)).await;
            self.fleet.thaw(replica);
            eventually("the replica is ready again", WHOLE_AGAIN, || async {
                let ready = self.fleet.client_on(replica).get("/readyz").within(WHOLE_AGAIN).attempt().await;
                ready.is_ok_and(|reply| reply.status == 200)
            })
            .await;
        };
        self.recorder().fault("frozen replica", Some(replica), fault).await;
    }

    pub async fn cut_subscribers(&mut self) {
        let fault = async {
            let before = self.subscriptions();
            let _: i64 = self.fleet.redis().run(&["CLIENT", "KILL", "TYPE", "pubsub"]);
            self.subscribed_again(&before).await;
        };
        self.recorder().fault("cut subscribers", None, fault).await;
    }

    /// Redis dies and comes back with what it had written down.
    pub async fn kill_redis(&mut self) {
        let down = 50 + self.dice.roll(750);
        let fault = async {
            let before = self.subscriptions();
            self.fleet.redis().kill9();
            sleep(Duration::from_millis(down)).await;
            self.fleet.redis().restart();
            self.subscribed_again(&before).await;
        };
        self.recorder().fault("killed Redis", None, fault).await;
    }

    /// How many replicas have subscribed to each channel.
    pub fn subscriptions(&self) -> Vec<usize> {
        self.world.channels().map(|channel| self.fleet.subscribers(&channel.id)).collect()
    }

    pub async fn subscribed_again(&self, before: &[usize]) {
        eventually("all subscriptions are back", WHOLE_AGAIN, || async {
            self.subscriptions().iter().zip(before).all(|(now, before)| now >= before)
        })
        .await;
    }

    pub fn recorder(&self) -> &Recorder {
        &self.world.recorder
    }
}
