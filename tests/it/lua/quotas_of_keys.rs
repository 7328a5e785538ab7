//! lua/usage/leases.lua, lua/usage/holdings.lua, lua/channels/full.lua, and what posts, acks and retractions say about how much a channel holds.

use crate::support::script::{Bench, CHANNEL, OWNER, RETENTION, SECOND, START, TTL, on_both};

const LEASES: &str = "usage/leases";
const HOLDINGS: &str = "usage/holdings";
const POST: &str = "messages/post";
const MINUTE: u64 = 60 * SECOND;

pub fn answers_leases(b: &Bench) {
    b.ask(LEASES).run().ok("counted").wrote_nothing();
    assert_eq!(tell(b, &[("a", b.now() + MINUTE)]), 1);
    assert_eq!(b.ask(LEASES).run().ok("counted").wrote_nothing().int(0), 1);
}

pub fn answers_holdings(b: &Bench) {
    b.ask(HOLDINGS).run().ok("counted").wrote_nothing();
    let ends = b.now() / 1000 + 60_000;
    assert_eq!(hold(b, &[("ch_1", "700", ends), ("ch_2", "50", ends)]), 750);
    assert_eq!(b.ask(HOLDINGS).run().ok("counted").wrote_nothing().int(0), 750);
}

pub fn answers_full(b: &Bench) {
    let mark = |seconds: u64| b.ask("channels/full").with("seconds", seconds).run();
    mark(30).no("channel_not_found");
    b.channel(&[]);
    mark(0).ok("marked").wrote_nothing();
    mark(30).ok("marked");
    assert_eq!(full_until(b), Some(b.now() + 30 * SECOND));
    mark(0).ok("marked");
    assert_eq!(full_until(b), None);
}

/// Leases by name and end; an end of 0: it has ended. How many run.
fn tell(b: &Bench, leases: &[(&str, u64)]) -> u64 {
    let ask = leases.iter().fold(b.ask(LEASES).with("remember_ms", 20_000), |ask, (name, end)| ask.rest(name, &end.to_string()));
    ask.run().ok("counted").int(0)
}

/// Channels, what they hold, and until when (ms). What the key holds.
fn hold(b: &Bench, channels: &[(&str, &str, u64)]) -> u64 {
    let ask = channels.iter().fold(b.ask(HOLDINGS), |ask, (id, bytes, ends)| ask.values(&[id, bytes, &ends.to_string()]));
    ask.run().ok("counted").int(0)
}

fn full_until(b: &Bench) -> Option<u64> {
    b.run(&["HGET", &b.key("meta"), "full_until"])
}

fn kept(b: &Bench, suffix: &str) -> usize {
    let members: Vec<String> = b.run(&["ZRANGE", &b.key_of_owner(&format!("{suffix}:{OWNER}")), "0", "-1"]);
    members.len()
}

#[test]
fn leases_are_counted_until_they_end_whoever_tells_of_them_and_however_often() {
    on_both(|b| {
        let (soon, late) = (b.now() + 10 * SECOND, b.now() + MINUTE);
        assert_eq!(tell(b, &[("a", soon), ("b", late), ("c", late)]), 3);
        assert_eq!(tell(b, &[("a", soon), ("b", late)]), 3, "told twice is once");
        b.at(soon - 1);
        assert_eq!(tell(b, &[]), 3);
        b.at(soon);
        assert_eq!(tell(b, &[]), 2, "what ran out drops out");
        assert_eq!(tell(b, &[("b", 0)]), 1);
        assert_eq!(tell(b, &[("b", late)]), 1, "another replica gave it, and tells of it later");
        assert_eq!(tell(b, &[("d", 0)]), 1, "the end may be told first");
        assert_eq!(tell(b, &[("d", late)]), 1);
        assert_eq!(tell(b, &[("c", late + MINUTE)]), 1, "a heartbeat");
        b.at(late);
        assert_eq!(tell(b, &[]), 1);
        b.at(late + MINUTE);
        assert_eq!((tell(b, &[]), kept(b, "running")), (0, 0));
    });
}

#[test]
fn a_set_of_leases_goes_with_its_last_one() {
    on_both(|b| {
        let running = b.key_of_owner(&format!("running:{OWNER}"));
        let dies = || b.run::<u64>(&["PEXPIRETIME", &running]) * 1000;
        tell(b, &[("a", b.now() + MINUTE)]);
        assert_eq!(dies(), b.now() + MINUTE);
        tell(b, &[("b", b.now() + 2 * MINUTE)]);
        assert_eq!(dies(), b.now() + 2 * MINUTE);
        tell(b, &[("a", 0), ("b", 0)]);
        assert_eq!(dies(), b.now() + 20 * SECOND, "ends are remembered so long");
        b.pass(20 * SECOND);
        assert_eq!((tell(b, &[]), kept(b, "running")), (0, 0));
    });
}

#[test]
fn what_ran_out_is_dropped_by_twice_as_many_as_came_and_64_at_least() {
    on_both(|b| {
        let names: Vec<String> = (0..400).map(|n| format!("{n:04}")).collect();
        let end = b.now() + SECOND;
        tell(b, &names.iter().map(|name| (name.as_str(), end)).collect::<Vec<_>>());
        b.at(end);
        tell(b, &[]);
        assert_eq!(kept(b, "running"), 336);
        let more: Vec<String> = (0..100).map(|n| format!("more {n}")).collect();
        assert_eq!(tell(b, &more.iter().map(|name| (name.as_str(), end + MINUTE)).collect::<Vec<_>>()), 100);
        assert_eq!(kept(b, "running"), 236);
    });
}

#[test]
fn a_channel_counts_with_what_it_held_last_until_its_deadline_or_its_end() {
    on_both(|b| {
        let (soon, late) = (b.now() / 1000 + 10_000, b.now() / 1000 + 600_000);
        assert_eq!(hold(b, &[("ch_1", "700", soon), ("ch_2", "50", late), ("ch_3", "8", late)]), 758);
        assert_eq!(hold(b, &[("ch_2", "20", late)]), 728, "it holds less now");
        b.at(soon * 1000);
        assert_eq!(hold(b, &[]), 28, "all of the first one is gone");
        assert_eq!(hold(b, &[("ch_2", "-", 0)]), 8, "deleted");
        assert_eq!(hold(b, &[("ch_2", "20", late)]), 8, "a replica looked before");
        b.pass(MINUTE);
        assert_eq!((hold(b, &[]), kept(b, "holdings-end")), (8, 1));
        b.at(late * 1000);
        assert_eq!(hold(b, &[]), 0);
        assert_eq!(b.dump(), "", "and nothing is left of the ledger");
    });
}

#[test]
fn a_ledger_lives_until_the_last_deadline_and_forgets_64_channels_at_a_time() {
    on_both(|b| {
        let (soon, late) = (b.now() / 1000 + 10_000, b.now() / 1000 + 600_000);
        let ids: Vec<String> = (0..100).map(|n| format!("ch_{n}")).collect();
        hold(b, &ids.iter().map(|id| (id.as_str(), "10", soon)).collect::<Vec<_>>());
        assert_eq!(hold(b, &[("ch_late", "7", late)]), 1007);
        for key in ["holdings", "holdings-end"] {
            assert_eq!(b.run::<u64>(&["PEXPIRETIME", &b.key_of_owner(&format!("{key}:{OWNER}"))]), late, "{key}");
        }
        b.at(soon * 1000);
        assert_eq!([hold(b, &[]), hold(b, &[])], [367, 7]);
    });
}

/// Owner, bytes and deadline that an answer tells from this value on.
fn told(said: &crate::support::answer::Answer, from: usize) -> Option<(String, u64, u64)> {
    (said.len() > from).then(|| (said.text(from), said.int(from + 1), said.int(from + 2)))
}

#[test]
fn posts_tell_what_the_channel_holds_the_likelier_the_longer_they_are() {
    on_both(|b| {
        b.channel(&[]);
        let post = |past: u64, bytes: usize| {
            let floor = b.now().next_multiple_of(32) + past;
            let said = b.ask(POST).with("floor", floor).with("content", "x".repeat(bytes)).quietly().run().ok("posted");
            b.pass(64);
            told(&said, 4)
        };
        let (owner, first, deadline) = post(0, 1).expect("each 32nd");
        assert_eq!((owner.as_str(), deadline), (OWNER, b.deadline()));
        for past in 1..32 {
            assert_eq!(post(past, 1023), None, "{past}");
        }
        assert!(post(1, 1024).is_some() && post(2, 1024).is_none() && post(16, 16_384).is_some() && post(17, 16_384).is_none());
        let (_, held, _) = post(31, 32_768).expect("a long one");
        assert!(held > first + 60_000 && held < first + 200_000, "{first}, {held}");
        let said =
            b.ask(POST).with("floor", b.now() + 1).with("metadata", format!("{{\"a\":\"{}\"}}", "x".repeat(40_000))).run().ok("posted");
        assert!(told(&said, 4).is_some(), "metadata counts");
        let n = said.int(0);
        let (owner, rest, _) = told(&b.ask("messages/retract").with("n", n).run().ok("retracted"), 0).expect("each retraction tells");
        assert_eq!(owner, OWNER);
        assert!(rest < held + 2000, "{rest} after {held}");
    });
}

#[test]
fn claims_and_results_count_and_an_ack_with_a_result_tells_of_it() {
    on_both(|b| {
        b.channel(&[]);
        let all = b.post_many(3);
        b.claim(all[0], 5000);
        let acked = |n: u64, bytes: usize| {
            b.claim(n, 5000);
            b.ask("claims/ack_with_result").with("n", n).with("result", "x".repeat(bytes)).run().ok("acknowledged")
        };
        let said = acked(all[1], 50_000);
        let (owner, held, deadline) = told(&said, 4).expect("a long result");
        assert_eq!((owner.as_str(), deadline, said.int(3)), (OWNER, b.deadline(), 1));
        assert!(held > 50_000, "{held}");
        b.at(b.now().next_multiple_of(32) + 1);
        assert_eq!(told(&acked(all[2], 5), 4), None);
    });
}

#[test]
fn acks_and_releases_say_whether_a_lease_has_ended() {
    on_both(|b| {
        b.channel(&[]);
        for (lease_ms, leased) in [(5000, 1), (0, 0)] {
            let n = b.post();
            b.claim(n, lease_ms);
            assert_eq!(b.ask("claims/release").with("n", n).run().ok("released").int(3), leased);
            b.claim(n, lease_ms);
            assert_eq!(b.ask("claims/ack").with("n", n).run().ok("acknowledged").int(3), leased);
        }
    });
}

#[test]
fn a_channel_whose_owner_holds_too_much_takes_nothing_until_one_post_has_looked_again() {
    on_both(|b| {
        b.channel(&[("max_messages", "3")]);
        let n = b.post();
        b.claim(n, 60_000);
        b.ask(POST).once("before").run().ok("posted");
        b.ask("channels/full").with("seconds", 30).run().ok("marked");
        let until = b.now() + 30 * SECOND;
        b.at(until - 1);
        assert_eq!(b.ask(POST).run().ok("full").wrote_nothing().int(0), until);
        b.ask("claims/ack_with_result").with("n", n).run().ok("full").wrote_nothing();
        b.ask(POST).once("before").run().ok("replayed").wrote_nothing();
        b.at(until);
        let (owner, held, deadline) = told(&b.ask(POST).run().ok("look"), 0).expect("what it holds");
        assert!(owner == OWNER && held > 100 && deadline == b.deadline(), "{owner} {held}");
        assert_eq!(b.ask(POST).run().ok("full").int(0), until + 2 * SECOND, "the others wait for the one that looks");
        b.pass(2 * SECOND);
        b.ask("claims/ack_with_result").with("n", n).run().ok("look");
        assert_eq!(b.log().len(), 2);
        b.ask("channels/full").with("seconds", 0).run().ok("marked");
        b.post();
        b.ask("claims/ack_with_result").with("n", n).run().ok("acknowledged");
        // A clock that was set back keeps nobody out.
        b.ask("channels/full").with("seconds", 30).run().ok("marked");
        b.at(START - 3600 * SECOND);
        b.ask(POST).run().ok("look");
    });
}

#[test]
fn a_full_channel_still_loses_what_is_past_its_retention() {
    on_both(|b| {
        b.channel(&[]);
        b.post_many(100);
        b.at(START + RETENTION * SECOND);
        b.post();
        b.at(START + (TTL + RETENTION) * SECOND + 1000);
        b.ask("channels/full").with("seconds", 30).run().ok("marked");
        b.ask(POST).run().ok("full");
        assert_eq!(b.log().len(), 37);
        b.ask(POST).run().ok("full");
        assert_eq!(b.log().len(), 1);
        assert_eq!(b.run::<u64>(&["EXISTS", &b.key("meta")]), 1, "{CHANNEL}");
    });
}
