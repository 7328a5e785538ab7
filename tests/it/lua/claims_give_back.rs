//! lua/claims/give_back.lua

use crate::support::script::{Bench, SECOND, STRANGER, TTL, on_both};

const GIVE_BACK: &str = "claims/give_back";

pub fn answers(b: &Bench) {
    b.ask(GIVE_BACK).run().no("channel_not_found");
    b.channel(&[]);
    let n = b.post();
    b.ask(GIVE_BACK).with("n", n).run().ok("kept").wrote_nothing();
    b.claim(n, 5000);
    let returned = b.ask(GIVE_BACK).with("n", n).run().ok("returned").woke(&["one"]);
    assert!(returned.after.contains(&format!("open zset expires\n  0 -\n  {n} {n}\n")), "{}", returned.after);
    assert!(b.zset("leases").is_empty(), "{}", returned.after);
    b.ask(GIVE_BACK).with("n", n).run().ok("kept").wrote_nothing();
}

#[test]
fn only_the_very_claim_that_was_not_heard_of_is_undone() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        b.claim(n, 5000);
        let give_back = |attempt: u64, secret: &str| b.ask(GIVE_BACK).with("n", n).with("attempt", attempt).with("secret", secret);
        give_back(2, "s1").run().ok("kept").wrote_nothing();
        give_back(1, "s2").run().ok("kept").wrote_nothing();
        give_back(1, "s1").with("key", STRANGER).run().ok("kept").wrote_nothing();
        b.pass(5 * SECOND);
        give_back(1, "s1").run().ok("kept").wrote_nothing();
        b.ask("claims/claim").with("n", n).with("secret", "s2").run().ok("claimed");
        give_back(1, "s1").run().ok("kept").wrote_nothing();
        b.ask("claims/ack").with("n", n).with("secret", "").run().ok("acknowledged");
        give_back(2, "s2").run().ok("kept").wrote_nothing();
    });
}

#[test]
fn what_expired_meanwhile_is_not_put_up_again() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        b.claim(n, 0);
        b.at(n + TTL * SECOND);
        b.ask(GIVE_BACK).with("n", n).run().ok("returned").woke(&[]);
        assert!(b.zset("open").is_empty());
    });
}
