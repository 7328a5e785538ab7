//! lua/replication/mark.lua

use crate::support::script::Bench;

const MARK: &str = "replication/mark";

pub fn answers_mark(b: &Bench) {
    // Also of a channel that is gone meanwhile: what it was told before is to be confirmed all the same.
    let first = b.ask(MARK).run().ok("marked");
    let info: String = b.run(&["INFO", "replication"]);
    assert!(info.contains(&format!("master_replid:{}\r", first.text(0))), "{info}");
    assert!((1..=1000).contains(&b.run::<i64>(&["PTTL", &b.key("mark")])), "{}", first.after);
    b.ask(MARK).run().ok("marked");
}
