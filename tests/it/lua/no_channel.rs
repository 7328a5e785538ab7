//! What holds for all scripts of a channel: without a channel nothing is written, and a stranger changes nothing.

use backchannel::store::scripts::ALL;

use crate::support::script::{Bench, STRANGER, on_both, script};

/// Who asks to be let in and who has an invitation is a stranger, and an invitation that is not known says so.
const FOR_STRANGERS: &[&str] = &["access_requests/request", "invitations/resolve", "invitations/revoke"];

/// They make the channel.
const CREATIONS: &[&str] = &["channels/create", "sandbox/channel"];
/// The service asks for itself; whether their reader is a stranger, `webhooks/load` is told.
const OF_THE_SERVICE: &[&str] =
    &["channels/expire", "channels/full", "channels/survey", "sandbox/turn", "webhooks/disable", "webhooks/load", "webhooks/outbox_read"];

/// Every script of a channel, but those that need none.
fn of_a_channel() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|s| s.name()).filter(|name| script(name).1.keys().any(|k| k.name == "meta") && !CREATIONS.contains(name))
}

fn says_that_there_is_none(b: &Bench, name: &'static str) {
    b.ask(name).run().wrote_nothing().no(if name == "claims/heartbeat" { "lease_expired" } else { "channel_not_found" });
}

#[test]
fn a_script_that_finds_no_channel_writes_nothing_whatever_is_left_of_it() {
    on_both(|b| {
        for name in of_a_channel() {
            says_that_there_is_none(b, name);
        }
        assert_eq!(b.dump(), "");
        b.channel(&[]);
        let [n, lapsed, _open] = [b.post(), b.post(), b.post()];
        b.claim(n, 0);
        b.claim(lapsed, 1000);
        b.pass(2_000_000);
        b.run::<()>(&["DEL", &b.key("meta")]);
        for name in of_a_channel() {
            says_that_there_is_none(b, name);
        }
    });
}

#[test]
fn a_stranger_changes_nothing_on_a_restricted_channel_and_is_shown_nothing() {
    on_both(|b| {
        b.channel(&[("access", "restricted")]);
        let n = b.post();
        b.claim(n, 5000);
        for name in of_a_channel().filter(|name| !FOR_STRANGERS.contains(name) && !OF_THE_SERVICE.contains(name)) {
            let takes_n = script(name).1.args().names().iter().any(|a| a == "n");
            let ask = b.ask(name).by(STRANGER);
            let answer = if takes_n { ask.with("n", n) } else { ask }.run().wrote_nothing();
            match name {
                "members/check" => drop(answer.ok("stranger")),
                "channels/brief" => drop(answer.ok("hidden")),
                "claims/give_back" => drop(answer.ok("kept")),
                "usage/channel_add" => drop(answer.ok("counted")), // by the replica, of nothing
                _ => drop(answer.no("channel_access_denied")),
            }
        }
    });
}
