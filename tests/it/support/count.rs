//! How often Redis ran which command: for the promise of one round trip an operation.

use std::collections::BTreeMap;

use super::redis::RedisServer;

/// Counts from its making on. Take a private server: on a shared one other tests' commands count too.
pub struct Count<'a> {
    server: &'a RedisServer,
    before: BTreeMap<String, u64>,
}

impl<'a> Count<'a> {
    pub fn start(server: &'a RedisServer) -> Self {
        Self { server, before: calls(server) }
    }

    /// Calls since the start by command, in lower case (`evalsha`, `client|setinfo`); commands that were not called are
    /// missing. Commands that a script calls count under their own names as well.
    pub fn since(&self) -> BTreeMap<String, u64> {
        let mut now = calls(self.server);
        now.retain(|command, calls| {
            *calls -= self.before.get(command).copied().unwrap_or(0);
            *calls > 0
        });
        now
    }

    /// Calls of one command since the start.
    pub fn of(&self, command: &str) -> u64 {
        self.since().get(command).copied().unwrap_or(0)
    }

    /// Scripts run since the start, by whatever command: each is a round trip of a replica.
    pub fn scripts(&self) -> u64 {
        scripts(&self.since())
    }

    /// The same without the looks at announcements of changed keys, two or three a second on a replica where somebody waits. Counted by the one
    /// command that only they have, besides `carried` posts that came with their wake-up; so not for tests that read histories, events or audits
    /// meanwhile.
    pub fn scripts_of_requests(&self, carried: u64) -> u64 {
        let since = self.since();
        scripts(&since) + carried - since.get("xrevrange").copied().unwrap_or(0)
    }
}

fn scripts(calls: &BTreeMap<String, u64>) -> u64 {
    ["eval", "eval_ro", "evalsha", "evalsha_ro", "fcall", "fcall_ro"].iter().filter_map(|command| calls.get(*command)).sum()
}

/// `cmdstat_evalsha:calls=3,usec=…` becomes `evalsha` → 3.
fn calls(server: &RedisServer) -> BTreeMap<String, u64> {
    let info: String = server.run(&["INFO", "commandstats"]);
    let line = |line: &str| {
        let (command, numbers) = line.strip_prefix("cmdstat_")?.split_once(':')?;
        let calls = numbers.strip_prefix("calls=")?.split(',').next()?;
        Some((command.to_owned(), calls.parse().ok()?))
    };
    info.lines().filter_map(line).collect()
}

#[test]
fn counts_only_what_came_after_the_start() {
    let server = RedisServer::start_private(&[]);
    let _: i64 = server.run(&["EVAL", "return 1", "0"]);
    let count = Count::start(&server);
    assert_eq!(count.scripts(), 0);
    let _: i64 = server.run(&["EVAL", "redis.call('SET', KEYS[1], 1) return 1", "1", "k"]);
    let _: i64 = server.run(&["DBSIZE"]);
    assert_eq!((count.scripts(), count.of("set"), count.of("dbsize"), count.of("get")), (1, 1, 1, 0));
}
