//! Channels, messages and claims for tests of scripts, and what of them is in the store.

use backchannel::claims::record::ClaimRecord;
use deadpool_redis::redis::Value;

use super::answer::number_of;
use super::keyspace::set_of_channel;
use super::script::{Bench, OWNER, RETENTION, TTL};

impl Bench {
    /// A channel of [`OWNER`], claimable and open unless `fields` (of `meta`) say otherwise.
    pub fn channel(&self, fields: &[(&str, &str)]) {
        let of = |name: &str, default: &str| fields.iter().find(|(n, _)| *n == name).map_or(default, |(_, v)| *v).to_owned();
        let mut ask = self.ask("channels/create").with("mode", of("mode", "claimable")).with("access", of("access", "open"));
        ask =
            ask.rest("name", "tasks").rest("ttl", &of("ttl", &TTL.to_string())).rest("retention", &of("retention", &RETENTION.to_string()));
        for (name, value) in fields.iter().filter(|(n, _)| !["mode", "access", "ttl", "retention"].contains(n)) {
            ask = ask.rest(name, value);
        }
        ask.run().ok("created");
    }

    /// Changes a field of the channel, as no script does.
    pub fn set(&self, field: &str, value: &str) {
        set_of_channel(self.redis(), &self.key("meta"), field, value);
    }

    /// [`OWNER`] as an active key, without an actor.
    pub fn active_key(&self) {
        self.run::<()>(&["HSET", &self.key_of_owner(&format!("key:{OWNER}")), "active", "1", "label", "me"]);
    }

    /// Posts, and returns the message's number.
    pub fn post(&self) -> u64 {
        self.ask("messages/post").run().ok("posted").int(0)
    }

    /// Posts this many, without a look at the keyspace after each.
    pub fn post_many(&self, count: usize) -> Vec<u64> {
        (0..count).map(|_| self.ask("messages/post").quietly().run().ok("posted").int(0)).collect()
    }

    /// Claims as [`ACTOR`] with the secret `s1`; 0: without a lease.
    pub fn claim(&self, n: u64, lease_ms: u64) -> ClaimRecord {
        self.ask("claims/claim").with("n", n).with("lease_ms", lease_ms).run().ok("claimed").record(2)
    }

    /// What a script of the channel answers to a bare listing: the numbers it shows.
    pub fn listed(&self, name: &'static str) -> Vec<u64> {
        let entries = if name == "messages/history" { 1 } else { 5 };
        self.ask(name).quietly().run().ok("page").numbers(entries)
    }

    /// The messages in one of the channel's sorted sets.
    pub fn zset(&self, suffix: &str) -> Vec<u64> {
        let members: Vec<String> = self.run(&["ZRANGE", &self.key(suffix), "0", "-1"]);
        numbers(members)
    }

    /// The numbers in the channel's log.
    pub fn log(&self) -> Vec<u64> {
        let entries: Vec<Value> = self.run(&["XRANGE", &self.key("log"), "-", "+"]);
        entries.iter().map(number_of).collect()
    }

    /// The numbers that have a claim record.
    pub fn claimed(&self) -> Vec<u64> {
        let mut fields = numbers(self.run(&["HKEYS", &self.key("claims")]));
        fields.sort_unstable();
        fields
    }

    /// When the channel's log and indexes die, in milliseconds.
    pub fn deadline(&self) -> u64 {
        self.run(&["HGET", &self.key("meta"), "deadline"])
    }
}

/// Names of messages as their numbers, without the placeholder, results, and how many those are.
fn numbers(names: Vec<String>) -> Vec<u64> {
    names.iter().filter(|name| name.bytes().all(|b| b.is_ascii_digit())).map(|name| name.parse().expect("a number")).collect()
}
