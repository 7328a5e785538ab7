//! lua/claims/release.lua

use crate::support::script::{Bench, OTHER_ACTOR, RETENTION, SECOND, STRANGER, TTL, on_both};

const RELEASE: &str = "claims/release";

pub fn answers(b: &Bench) {
    b.ask(RELEASE).run().no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    b.ask(RELEASE).with("key", STRANGER).run().no("channel_access_denied");
    b.set("mode", "broadcast");
    b.ask(RELEASE).run().no("channel_not_claimable");
    b.set("mode", "claimable");
    b.ask(RELEASE).with("n", b.now()).with("secret", "").run().no("message_not_found");
    let n = b.post();
    let release = || b.ask(RELEASE).with("n", n).with("secret", "");
    release().run().no("not_claimed");
    b.claim(n, 5000);
    release().with("actor", OTHER_ACTOR).run().no("forbidden");
    let lost = release().with("secret", "s2").run().no("lease_lost");
    assert_eq!((lost.detail("attempt#").as_str(), lost.detail("state").as_str()), ("1", "claimed"));
    release().once("r").run().ok("released");
    release().once("r").run().ok("replayed").wrote_nothing();
    release().once("r").with("body", "another").run().no("idempotency_key_reused");
    b.at(n + TTL * SECOND);
    release().run().no("message_expired");
    b.at(n + (TTL + RETENTION) * SECOND);
    release().run().no("message_not_found");
}

#[test]
fn a_released_message_is_open_at_once_its_lease_is_gone_and_its_attempts_are_remembered() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        b.claim(n, 5000);
        let released = b.ask(RELEASE).with("n", n).run().ok("released").woke(&["one"]);
        assert!(released.after.contains(&format!("open zset expires\n  0 -\n  {n} {n}\n")), "{}", released.after);
        assert!(b.zset("leases").is_empty(), "{}", released.after);
        let record = released.record(2);
        assert_eq!((record.attempt, record.secret.as_str(), record.key.as_str(), record.actor_id.as_str()), (1, "", "", ""));
        assert_eq!(b.claim(n, 5000).attempt, 2);
    });
}

#[test]
fn a_lease_that_ran_out_cannot_be_released_and_its_token_is_lost() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        b.claim(n, 5000);
        b.pass(5 * SECOND);
        b.ask(RELEASE).with("n", n).with("secret", "").run().no("not_claimed");
        assert_eq!(b.ask(RELEASE).with("n", n).run().no("lease_lost").detail("state"), "open");
        b.ask("claims/claim").with("n", n).with("secret", "s2").with("lease_ms", 5000).run().ok("claimed");
        let lost = b.ask(RELEASE).with("n", n).with("secret", "s1").run().no("lease_lost");
        assert_eq!((lost.detail("attempt#").as_str(), lost.detail("state").as_str()), ("2", "claimed"));
        b.ask(RELEASE).with("n", n).with("secret", "s2").with("key", STRANGER).run().no("lease_lost");
        b.ask("claims/ack").with("n", n).with("secret", "").run().ok("acknowledged");
        assert_eq!(b.ask(RELEASE).with("n", n).with("secret", "s2").run().no("lease_lost").detail("state"), "done");
        b.ask(RELEASE).with("n", n).with("secret", "").run().no("not_claimed");
    });
}

#[test]
fn the_token_of_the_running_lease_releases_whoever_of_its_key_sends_it() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        b.claim(n, 5000);
        let release = || b.ask(RELEASE).with("n", n).with("actor", OTHER_ACTOR);
        release().with("secret", "").run().no("forbidden");
        release().with("key", STRANGER).run().no("lease_lost");
        release().run().ok("released").woke(&["one"]);
    });
}

#[test]
fn a_repeated_release_does_not_take_the_message_from_its_next_holder() {
    on_both(|b| {
        b.channel(&[]);
        let n = b.post();
        b.claim(n, 0);
        b.ask(RELEASE).with("n", n).with("secret", "").once("r").run().ok("released");
        b.ask("claims/claim").with("n", n).with("secret", "s2").run().ok("claimed");
        b.ask(RELEASE).with("n", n).with("secret", "").once("r").run().ok("replayed").wrote_nothing();
    });
}
