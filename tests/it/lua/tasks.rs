//! lua/tasks/origin.lua

use crate::support::script::{Bench, OWNER, RETENTION, SECOND, STRANGER, TTL};

pub fn answers_origin(b: &Bench) {
    let origin = |n: u64, key: &str| b.ask("tasks/origin").with("n", n).with("key", key).run();
    origin(b.now(), OWNER).no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    origin(b.now(), OWNER).no("message_not_found");
    let n = b.post();
    origin(n, STRANGER).no("channel_access_denied");
    let said = origin(n, OWNER).ok("task").wrote_nothing();
    assert_eq!((said.text(0), said.int(1)), (OWNER.to_owned(), TTL * SECOND));
    b.at(n + TTL * SECOND);
    origin(n, OWNER).ok("task");
    b.at(n + (TTL + RETENTION) * SECOND);
    origin(n, OWNER).no("message_not_found");
}
