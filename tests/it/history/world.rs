//! Who acts on what in a run: its channel, its agents, its pace; chance from a seed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use super::record::Recorder;
use crate::support::client::Agent;
use crate::support::fleet::Fleet;

/// How a run is to be.
#[derive(Clone)]
pub struct Plan {
    pub name: String,
    pub seed: u64,
    /// Longest pause of a generator between two operations, ms.
    pub pause_ms: u64,
    /// Longest lease, s.
    pub lease_s: u64,
    /// How long readers and claimers wait, s: longer than a run where a lost wake-up is to show.
    pub wait_s: u64,
    /// Longest wait of those who claim, s; below `wait_s`, so that a run ends soon.
    pub claim_wait_s: u64,
    /// How long all that is open may take to be claimed and done in the end.
    pub drain: Duration,
}

impl Plan {
    pub fn new(name: &str, seed: u64) -> Self {
        Self { name: name.to_owned(), seed, pause_ms: 90, lease_s: 2, wait_s: 20, claim_wait_s: 4, drain: Duration::from_secs(30) }
    }

    pub fn claim_wait(&self) -> Duration {
        Duration::from_secs(self.claim_wait_s)
    }
}

/// Where something happens.
#[derive(Clone)]
pub struct Channel {
    pub id: String,
    pub label: String,
    /// How long messages live, where that is shorter than a run.
    ttl_s: Option<u64>,
    /// Apart from those of other channels.
    number: u64,
}

impl Channel {
    async fn new(owner: &Agent, label: &str, number: u64, ttl_s: Option<u64>) -> Self {
        let mut fields = json!({ "mode": "claimable" });
        if let Some(ttl_s) = ttl_s {
            fields["ttl_seconds"] = ttl_s.into();
        }
        Self { id: owner.channel_with(fields).await, label: label.to_owned(), ttl_s, number }
    }

    /// Its messages expire while the run goes on.
    pub fn is_brief(&self) -> bool {
        self.ttl_s.is_some()
    }
}

/// The seed of a run: that of BACKCHANNEL_TEST_SEED, or a new one. It is printed, and shown when the test fails.
/// It repeats what was done and in which order by each; when things met is up to the machine.
pub fn seed(name: &str) -> u64 {
    let given = std::env::var("BACKCHANNEL_TEST_SEED").ok().map(|text| text.parse().expect("BACKCHANNEL_TEST_SEED is a number"));
    let seed = given.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    println!("{name}: BACKCHANNEL_TEST_SEED={seed}");
    seed
}

/// What the generators of a run share.
pub struct World {
    pub plan: Plan,
    pub recorder: Recorder,
    /// Where everything happens at the same time.
    pub busy: Channel,
    /// The same, a little less, with messages that expire.
    pub brief: Channel,
    /// Where little happens, and somebody always waits for it.
    pub calm: Vec<Channel>,
    pub poster: Agent,
    /// Two keys, each for several claimers: a lease belongs to one of them, not to its key.
    pub workers: [Agent; 2],
    pub reader: Agent,
    /// Of the replicas.
    pub addresses: Vec<String>,
    over: AtomicBool,
    closed: AtomicBool,
}

impl World {
    pub async fn new(fleet: &Fleet, plan: Plan) -> Arc<Self> {
        let poster = fleet.agent("poster").await;
        let workers = [fleet.agent("worker").await, fleet.agent("worker").await];
        let reader = fleet.agent("reader").await;
        let busy = Channel::new(&poster, "busy", 0, None).await;
        let brief = Channel::new(&poster, "brief", 1, Some(BRIEF_S)).await;
        let mut calm = Vec::new();
        for number in 2..2 + CALM {
            calm.push(Channel::new(&poster, &format!("calm-{number}"), number, None).await);
        }
        let recorder = Recorder::new(&plan.name, plan.seed);
        let addresses = (0..fleet.size()).map(|replica| fleet.url(replica).trim_start_matches("http://").to_owned()).collect();
        let (over, closed) = (AtomicBool::new(false), AtomicBool::new(false));
        let world = Self { plan, recorder, busy, brief, calm, poster, workers, reader, addresses, over, closed };
        // The first claim under a name registers it: that is not what is tested here.
        for (i, worker) in world.workers.iter().enumerate() {
            for claimer in 0..CLAIMERS {
                worker.claim_next(&world.busy.id, json!({ "actor": format!("busy-claimer-{i}-{claimer}") })).await.ok(200);
            }
        }
        Arc::new(world)
    }

    /// Generators finish what they are at.
    pub fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// All is cleared up.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    pub fn channels(&self) -> impl Iterator<Item = &Channel> {
        [&self.busy, &self.brief].into_iter().chain(&self.calm)
    }

    pub fn dice_of(&self, channel: &Channel, generator: u64) -> Dice {
        self.dice(1000 * (channel.number + 1) + generator)
    }

    pub fn dice(&self, generator: u64) -> Dice {
        Dice(StdRng::seed_from_u64(self.plan.seed.wrapping_mul(1_000_000) + generator))
    }
}

/// Calm channels of a run.
const CALM: u64 = 4;
/// How long messages of the brief channel live, s.
const BRIEF_S: u64 = 2;
/// Claimers of each worker's key.
pub const CLAIMERS: usize = 3;

/// Chance that can be repeated.
pub struct Dice(StdRng);

impl Dice {
    /// 0 to `below` - 1.
    pub fn roll(&mut self, below: u64) -> u64 {
        self.0.random_range(0..below.max(1))
    }

    /// One of that many.
    pub fn pick(&mut self, of: usize) -> usize {
        usize::try_from(self.roll(of as u64)).expect("it fitted before")
    }

    /// True once in `times`.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.roll(times) == 0
    }

    /// Half of the time none at all, so that operations meet.
    pub async fn pause(&mut self, most_ms: u64) {
        let ms = if self.one_in(3) { 0 } else { self.roll(most_ms) };
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}
