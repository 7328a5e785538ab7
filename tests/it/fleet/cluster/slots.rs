//! Two nodes: keys on both, and slots that move from one to the other.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::{SOON, handoff, names_aliases_members};
use crate::support::client::Agent;
use crate::support::fleet::Fleet;
use crate::support::redis::RedisServer;
use crate::support::wait::{eventually, eventually_blocking};

const HALF: u64 = 8192;
/// Nobody dies here, and on a busy machine nobody is to be taken for dead: of two nodes, one alone serves nothing.
const NODE_TIMEOUT: &[&str] = &["--cluster-node-timeout", "15000"];
/// Until both have heard of each other.
const MET: Duration = Duration::from_secs(30);

/// A cluster of two nodes, each with half of the slots.
struct Nodes([Arc<RedisServer>; 2]);

impl Nodes {
    fn start() -> Self {
        let one = RedisServer::start_private_cluster(NODE_TIMEOUT);
        let two = RedisServer::start_private_cluster(NODE_TIMEOUT);
        // Each was started with all slots; what they give up before they meet is what the other has.
        let _: () = one.run(&["CLUSTER", "DELSLOTSRANGE", &HALF.to_string(), "16383"]);
        let _: () = two.run(&["CLUSTER", "DELSLOTSRANGE", "0", &(HALF - 1).to_string()]);
        let _: () = two.run(&["CLUSTER", "SET-CONFIG-EPOCH", "2"]);
        let _: () = one.run(&["CLUSTER", "SET-CONFIG-EPOCH", "1"]);
        let bus = |node: &RedisServer| -> String {
            let myself: String = node.run(&["CLUSTER", "NODES"]);
            myself.split('@').nth(1).unwrap().split([',', ' ']).next().unwrap().to_owned()
        };
        let _: () = one.run(&["CLUSTER", "MEET", "127.0.0.1", &two.port().to_string(), &bus(&two)]);
        let nodes = Self([one, two]);
        for node in &nodes.0 {
            eventually_blocking("both nodes see all slots", MET, || {
                let info: String = node.run(&["CLUSTER", "INFO"]);
                info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384") && info.contains("cluster_size:2")
            });
        }
        nodes
    }

    /// Which node has this slot.
    fn owner(&self, slot: u64) -> usize {
        usize::from(slot >= HALF)
    }

    fn slot(&self, key: &str) -> u64 {
        self.0[0].run(&["CLUSTER", "KEYSLOT", key])
    }

    fn id(&self, node: usize) -> String {
        self.0[node].run(&["CLUSTER", "MYID"])
    }

    /// Begins to move a slot, as `redis-cli --cluster reshard` does, and moves the keys it holds.
    fn begin_to_move(&self, slot: u64) {
        let from = self.owner(slot);
        let (source, target) = (&self.0[from], &self.0[1 - from]);
        let slot = slot.to_string();
        let _: () = target.run(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &self.id(from)]);
        let _: () = source.run(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &self.id(1 - from)]);
        loop {
            let keys: Vec<String> = source.run(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]);
            if keys.is_empty() {
                return;
            }
            let port = target.port().to_string();
            let mut migrate = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "20000", "KEYS"];
            migrate.extend(keys.iter().map(String::as_str));
            let _: String = source.run(&migrate);
        }
    }

    /// Makes the other node the owner of a slot whose keys it has.
    fn end_the_move(&self, slot: u64) {
        let from = self.owner(slot);
        let new_owner = self.id(1 - from);
        for node in [1 - from, from] {
            let _: () = self.0[node].run(&["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", &new_owner]);
        }
    }
}

/// A channel of this agent whose keys lie on the given node.
async fn channel_on(nodes: &Nodes, agent: &Agent, node: usize) -> (String, u64) {
    loop {
        let channel = agent.channel("claimable").await;
        let slot = nodes.slot(&format!("{{{channel}}}"));
        if nodes.owner(slot) == node {
            return (channel, slot);
        }
    }
}

#[tokio::test]
async fn two_nodes_are_one_store_also_while_and_after_a_slot_moves() {
    let nodes = Nodes::start();
    let fleet = Fleet::builder().redis(&nodes.0[0]).start().await;
    for name in ["one", "two", "three"] {
        handoff(&fleet, name).await; // keys, channels and actors of each fall anywhere
    }
    names_aliases_members(&fleet).await;

    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    for node in 0..2 {
        let (channel, slot) = channel_on(&nodes, &poster, node).await;
        let message = poster.post_message(&channel, "before").await;
        let token = worker.claim_with_lease(&message, 600).await.ok(200)["lease_token"].clone();
        let waiter = tokio::spawn(worker.on(1).claim_next(&channel, json!({ "wait": 25 })).into_future());
        eventually("it waits", SOON, || async { fleet.metric(1, "backchannel_waiters").await == Some(1.0) }).await;

        nodes.begin_to_move(slot);
        // All its keys are at the other node, which is not yet its owner.
        for replica in 0..2 {
            let page = poster.on(replica).list(&channel, "").await.ok(200);
            assert_eq!(page["data"][0]["id"], json!(message));
        }
        // A write that names a key which is not there yet is refused until the move has ended: 503, and nothing was changed.
        let meanwhile = poster.on(0).post_to(&channel, json!({ "content": "meanwhile" })).await;
        let mut expected = vec!["before"];
        if meanwhile.status == 503 {
            meanwhile.refused(503, "storage_unavailable");
        } else {
            meanwhile.ok(201);
            expected.push("meanwhile");
        }
        nodes.end_the_move(slot);
        for replica in 0..2 {
            let page = poster.on(replica).list(&channel, "").await.ok(200);
            assert_eq!((&page["data"][0]["id"], &page["data"][0]["state"]), (&json!(message), &json!("claimed")));
            worker.on(replica).heartbeat(token.as_str().unwrap(), 600).await.ok(200);
        }
        poster.on(0).post_message(&channel, "after").await;
        expected.push("after");
        let got = tokio::time::timeout(SOON, waiter).await.expect("the waiter did not move with the slot").unwrap().ok(200);
        assert_eq!((&got["claimed"]["content"], &got["attempt"]), (&json!(expected[1]), &json!(1)));
        let page = poster.on(1).list(&channel, "").await.ok(200);
        let contents: Vec<_> = page["data"].as_array().unwrap().iter().map(|message| message["content"].as_str().unwrap()).collect();
        assert_eq!(contents, expected);
        worker.ack(&message).await.ok(200);
        poster.claim(got["claimed"]["id"].as_str().unwrap()).await.refused(409, "already_claimed");
    }
    handoff(&fleet, "four").await;
    fleet.abandon(); // what is left behind lies on two nodes
}

#[tokio::test]
async fn writes_to_a_slot_that_moves_are_confirmed_by_the_replicas_of_who_has_it() {
    let nodes = Nodes::start();
    let _followers = [0, 1].map(|node| RedisServer::start_cluster_replica(&nodes.0[node]));
    // Time for followers that have to wait for their turn on a busy machine.
    let patient = Fleet::builder().redis(&nodes.0[0]).env("BACKCHANNEL_REDIS_TIMEOUT_MS", "8000");
    let patient = patient.env("BACKCHANNEL_DURABILITY_TIMEOUT_MS", "5000");
    let fleet = patient.env("BACKCHANNEL_DURABILITY", "replicated").start().await;
    let agent = fleet.agent("agent").await;
    // Both, before anything moves: whoever has the slot afterwards is to have a follower that has loaded all.
    for node in 0..2 {
        let (channel, _) = channel_on(&nodes, &agent, node).await;
        eventually("replicas confirm", SOON, || async { agent.post_to(&channel, json!({ "content": "first" })).await.status == 201 }).await;
    }
    for node in 0..2 {
        let (channel, slot) = channel_on(&nodes, &agent, node).await;
        for replica in 0..2 {
            agent.on(replica).post_message(&channel, "before").await; // both know who has the slot
        }
        nodes.begin_to_move(slot);
        let meanwhile = agent.post_to(&channel, json!({ "content": "meanwhile" })).await;
        if meanwhile.status == 503 {
            meanwhile.refused(503, "storage_unavailable"); // and not a write that nobody confirms
        } else {
            meanwhile.ok(201);
        }
        let claimed = agent.claim_next(&channel, json!({ "lease_seconds": 60 })).await;
        assert_ne!(claimed.body["error"], "not_replicated", "{}", claimed.text);
        nodes.end_the_move(slot);
        for replica in 0..2 {
            agent.on(replica).post_message(&channel, "after").await;
        }
        let calls: String = nodes.0[1 - node].run(&["INFO", "commandstats"]);
        assert!(calls.contains("cmdstat_wait:"), "who has the slot now was asked: {calls}");
    }
    fleet.abandon(); // what is left behind lies on two nodes
}
