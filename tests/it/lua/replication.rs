//! lua/replication/mark.lua

use std::time::Duration;

use crate::support::script::Bench;
use crate::support::wait::eventually_blocking;

const MARK: &str = "replication/mark";

pub fn answers_mark(b: &Bench) {
    // Also of a channel that is gone meanwhile: what it was told before is to be confirmed all the same.
    let first = b.ask(MARK).run().ok("marked");
    let info: String = b.run(&["INFO", "replication"]);
    assert!(info.contains(&format!("master_replid:{}\r", first.text(0))), "{info}");
    b.ask(MARK).run().ok("marked");
    // It lives for a second, so on a busy machine it may be gone before anybody has looked.
    eventually_blocking("a mark that will be gone within a second", Duration::from_secs(30), || {
        b.ask(MARK).quietly().run().ok("marked");
        let left: i64 = b.run(&["PTTL", &b.key("mark")]);
        assert!(left != -1 && left <= 1000, "{left}");
        left > 0
    });
}
