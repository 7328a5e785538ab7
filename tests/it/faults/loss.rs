//! What became of what was answered, where Redis may have lost the last of it in a failover.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde_json::json;

use super::ledger::{Ledger, everything};
use crate::support::client::Agent;

/// How much of what was answered is gone.
#[derive(Debug, Default)]
pub struct Lost {
    pub posts: usize,
    pub claims: usize,
    pub acks: usize,
}

impl Ledger {
    /// As [`Ledger::check`], but what was answered from `since` on may be lost: nothing older, and nothing is there twice.
    pub async fn check_after_loss(&self, agent: &Agent, channel: &str, since: Timestamp) -> Lost {
        let there = everything(agent, channel).await;
        let mut times: HashMap<&str, usize> = HashMap::new();
        for message in &there {
            *times.entry(message["content"].as_str().expect("a message has content")).or_default() += 1;
        }
        let count = |content: &String| times.get(content.as_str()).copied().unwrap_or(0);
        let may_be_lost = |what: &String| self.when[what] >= since;
        let mut lost = Lost::default();
        for content in &self.posted {
            let expected = count(content) == 1 || (count(content) == 0 && may_be_lost(content));
            assert!(expected, "answered 201 at {}, may be lost from {since} on, there {} times", self.when[content], count(content));
            lost.posts += usize::from(count(content) == 0);
        }
        for content in &self.refused {
            assert_eq!(count(content), 0, "answered that nothing was changed: {content}");
        }
        for content in &self.unknown {
            assert!(count(content) <= 1, "posted once, there {} times: {content}", count(content));
        }
        let state = |id: &String| there.iter().find(|message| message["id"] == **id).map(|message| &message["state"]);
        let mut takers: BTreeMap<&String, usize> = BTreeMap::new();
        for id in self.acked.iter().chain(self.held.iter().map(|(id, _)| id)) {
            *takers.entry(id).or_default() += 1;
        }
        for (id, takers) in takers {
            assert!(takers == 1 || may_be_lost(id), "{id} was given to {takers}, first at {}", self.when[id]);
        }
        for id in &self.acked {
            let done = state(id) == Some(&json!("done"));
            assert!(done || may_be_lost(id), "claimed at {} and acknowledged: {id} is {:?}", self.when[id], state(id));
            lost.acks += usize::from(!done);
        }
        for (id, token) in &self.held {
            let ack = agent.post(&format!("/v1/messages/{id}/ack"), json!({ "lease_token": token })).await;
            assert!(ack.status == 200 || may_be_lost(id), "claimed at {} and not heard of since: {}", self.when[id], ack.text);
            lost.claims += usize::from(ack.status != 200);
        }
        lost
    }
}
