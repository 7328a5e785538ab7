//! lua/usage/*.lua

use crate::support::script::{Bench, CHANNEL, OTHER_ACTOR, OWNER, SECOND, STRANGER, on_both};

pub fn answers_add(b: &Bench) {
    let add = |counts: [u64; 4]| {
        let ask =
            b.ask("usage/add").with("requests", counts[0]).with("errors", counts[1]).with("claims", counts[2]).with("acks", counts[3]);
        let said = ask.run().ok("counted");
        ([said.int(0), said.int(1), said.int(2), said.int(3)], said)
    };
    let (nothing, said) = add([0; 4]);
    said.wrote_nothing();
    assert_eq!(nothing, [0; 4]);
    assert_eq!(add([5, 1, 2, 0]).0, [5, 1, 2, 0]);
    assert_eq!(add([1, 0, 0, 3]).0, [6, 1, 2, 3]);
    let (same, said) = add([0; 4]);
    said.wrote_nothing();
    assert_eq!(same, [6, 1, 2, 3]);
    let posted = |bytes: u64| {
        let said = b.ask("usage/add").with("bytes", bytes).run().ok("counted");
        (said.int(4), said.int(5))
    };
    let day = 86_400 * SECOND;
    let ends = (b.now() / day + 1) * day;
    assert_eq!((posted(700), posted(300), posted(0)), ((700, ends), (1000, ends), (1000, ends)));
    b.at(ends);
    assert_eq!((posted(0), posted(5)), ((0, ends + day), (5, ends + day)), "each day begins anew");
}

pub fn answers_overview(b: &Bench) {
    let overview = |most: u64| {
        let said = b.ask("usage/overview").with("most", most).run().ok("overview").wrote_nothing();
        assert_eq!(said.int(4), 0);
        (said.int(0), said.int(1), said.texts(2))
    };
    assert_eq!(overview(200), (0, 0, vec![]));
    b.active_key();
    b.ask("channels/name_take").with("name", "tasks").run().ok("taken");
    b.ask("sessions/create").run().ok("created");
    assert_eq!(overview(200), (1, 1, vec![CHANNEL.to_owned()]));
    b.run::<()>(&["SET", &b.key_of_owner(&format!("window:{OWNER}")), "7", "PX", "60000"]);
    b.ask("actors/register").run().ok("created");
    let said = b.ask("usage/overview").with("most", 200).run().ok("overview");
    assert_eq!((said.int(3), said.int(4)), (1, 7));
    b.run::<()>(&["DEL", &b.key_of_owner(&format!("window:{OWNER}"))]);
    b.pass(86_400 * crate::support::script::SECOND);
    assert_eq!(overview(200).1, 0, "a session that has ended is not active");
}

pub fn answers_channel(b: &Bench) {
    let held = |key: &str| b.ask("usage/channel").with("key", key).run();
    held(OWNER).no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    held(STRANGER).no("channel_access_denied");
    let counts = |b: &Bench| {
        let said = b.ask("usage/channel").run().ok("holds").wrote_nothing();
        (said.int(0), said.int(1))
    };
    assert_eq!(counts(b), (0, 0));
    let (first, _second) = (b.post(), b.post());
    assert_eq!(counts(b), (2, 0));
    b.claim(first, 5000);
    b.ask("claims/release").with("n", first).run().ok("released");
    assert_eq!(counts(b), (2, 1), "claimed at least once");
    b.claim(first, 5000);
    b.ask("channels/alias_add").run().ok("added");
    b.ask("access_requests/request").with("key", STRANGER).run().ok("pending");
    let said = b.ask("usage/channel").run().ok("holds");
    assert!(said.int(2) > 100, "{} bytes", said.int(2));
    assert_eq!([3, 4, 5, 6, 7].map(|i| said.int(i)), [1, 1, 1, 0, 1]);
}

#[test]
fn a_key_with_many_channels_has_some_of_them_looked_at() {
    on_both(|b| {
        let channels = b.key_of_owner(&format!("channels:{OWNER}"));
        for n in 0..1000 {
            b.run::<()>(&["HSET", &channels, &format!("channel-{n}"), &format!("ch_{n}")]);
        }
        let said = b.ask("usage/overview").with("most", 200).run().ok("overview");
        let mut ids = said.texts(2);
        ids.sort();
        ids.dedup();
        assert_eq!(said.int(0), 1000);
        assert!((100..=200).contains(&ids.len()), "{}", ids.len());
        assert!(ids.iter().all(|id| id.starts_with("ch_")), "{ids:?}");
    });
}

#[test]
fn acks_of_a_broadcast_are_no_claims() {
    on_both(|b| {
        b.channel(&[("mode", "broadcast")]);
        let n = b.post();
        b.ask("claims/ack").with("n", n).with("secret", "").with("actor", OTHER_ACTOR).run().ok("acknowledged");
        let said = b.ask("usage/channel").run().ok("holds");
        assert_eq!((said.int(0), said.int(1)), (1, 0));
    });
}
