//! lua/doctor/rights.lua

use crate::support::script::Bench;

pub fn answers_rights(b: &Bench) {
    let ask = b.ask("doctor/rights").rest("GET a", "NO-SUCH-COMMAND a").rest("XINFO STREAM a", "SPUBLISH a b");
    let denied = ask.run().ok("denied").wrote_nothing();
    assert_eq!((denied.len(), denied.text(0)), (1, "NO-SUCH-COMMAND a".to_owned()), "the user of tests may do all that there is");
}
