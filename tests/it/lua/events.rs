//! lua/events/list.lua, and lua/lib/event.lua, which writes them

use crate::support::script::{Bench, INVITATION, OWNER, SECOND, START, STRANGER, on_both};

const DAY: u64 = 86_400 * SECOND;

pub fn answers(b: &Bench) {
    let list = || b.ask("events/list");
    list().run().no("channel_not_found");
    b.channel(&[("access", "restricted")]);
    list().with("key", STRANGER).run().no("channel_access_denied");
    b.ask("members/add").run().ok("added");
    list().with("key", STRANGER).run().no("forbidden");
    assert_eq!(list().run().ok("page").wrote_nothing().numbers(0), [START]);
}

/// The stream as lines: kind, who did it, to whom, by which invitation.
fn told(b: &Bench) -> Vec<String> {
    let dump = b.dump();
    let stream = dump.split(&format!("{} stream expires\n", b.key("events"))).nth(1).expect("there are events");
    let lines = stream.lines().take_while(|line| line.starts_with("  "));
    lines.map(|line| line.trim().split_once(' ').expect("an id").1.to_owned()).collect()
}

#[test]
fn whoever_comes_or_goes_is_told_once() {
    on_both(|b| {
        b.channel(&[("access", "restricted")]);
        let add = || b.ask("members/add").once("a").run();
        add().ok("added");
        add().ok("replayed");
        b.ask("members/add").run().ok("added");
        b.ask("members/remove").once("b").run().ok("removed");
        b.ask("members/remove").once("b").run().ok("replayed");
        b.ask("invitations/create").run().ok("created");
        for _ in 0..2 {
            b.ask("invitations/resolve").with("key", STRANGER).run();
        }
        b.ask("members/remove").with("key", STRANGER).run().ok("removed");
        for _ in 0..2 {
            b.ask("invitations/revoke").run().ok("revoked");
        }
        assert_eq!(
            told(b),
            [
                format!("e=member_added k={OWNER} s={STRANGER} i="),
                format!("e=member_removed k={OWNER} s={STRANGER} i="),
                format!("e=invitation_resolved k={STRANGER} s={STRANGER} i={INVITATION}"),
                format!("e=member_removed k={STRANGER} s={STRANGER} i="),
                format!("e=invitation_revoked k={OWNER} s= i={INVITATION}"),
            ]
        );
    });
}

#[test]
fn events_have_numbers_of_their_own_also_while_the_clock_stands_or_goes_back() {
    on_both(|b| {
        b.channel(&[]);
        for at in [START, START, START - SECOND] {
            b.at(at);
            b.ask("members/add").run().ok("added");
            b.ask("members/remove").run().ok("removed");
        }
        let numbers = b.ask("events/list").run().ok("page").numbers(0);
        assert_eq!(numbers, (0..6).map(|i| START + i).collect::<Vec<_>>());
        assert_eq!(b.ask("events/list").with("cursor", START + 2).with("limit", 2).run().ok("page").numbers(0), [START + 3, START + 4]);
    });
}

#[test]
fn events_end_after_a_day_and_a_thousand() {
    on_both(|b| {
        b.channel(&[]);
        b.ask("members/add").run().ok("added");
        b.pass(DAY - 1);
        assert_eq!(b.ask("events/list").run().ok("page").numbers(0).len(), 1);
        b.pass(1);
        assert_eq!(b.ask("events/list").run().ok("page").numbers(0).len(), 0, "older ones are not shown, trimmed or not");
        b.pass(1);
        b.ask("members/remove").run().ok("removed");
        assert_eq!(b.run::<u64>(&["XLEN", &b.key("events")]), 1, "nor kept");
        for _ in 0..510 {
            b.pass(1);
            b.ask("members/add").quietly().run().ok("added");
            b.pass(1);
            b.ask("members/remove").quietly().run().ok("removed");
        }
        assert_eq!(b.run::<u64>(&["XLEN", &b.key("events")]), 1000);
        assert_eq!(b.ask("events/list").with("limit", 1).run().ok("page").numbers(0), [b.now() - 999]);
    });
}
