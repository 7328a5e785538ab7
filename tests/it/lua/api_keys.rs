//! lua/api_keys/*.lua

use crate::support::answer::Answer;
use crate::support::script::{ACTOR, Ask, Bench, CHANNEL, OTHER_ACTOR, OWNER, SECOND, START, on_both};

const SECOND_KEY: &str = "bck_oooooooooooooooobbbbbbbbbb";

fn minted(b: &Bench) {
    b.ask("api_keys/create").run().ok("created");
}

pub fn answers_create(b: &Bench) {
    minted(b);
    b.ask("api_keys/create").on("record", SECOND_KEY).with("key", SECOND_KEY).run().no("label_in_use");
}

pub fn answers_admit(b: &Bench) {
    let admit = || b.ask("api_keys/admit");
    admit().run().no("unauthorized");
    minted(b);
    admit().with("digest", "d2").run().no("unauthorized");
    for used in ["1", "2"] {
        let admitted = admit().with("most", 2).run().ok("admitted");
        let texts: Vec<String> = (0..5).map(|i| admitted.text(i)).collect();
        assert_eq!(texts, ["me", "-", ACTOR, &START.to_string(), used]);
        assert!((1..=60_000).contains(&admitted.int(5)), "{admitted:?}");
    }
    let refused = admit().with("most", 2).run().no("rate_limit_exceeded");
    let wait: u64 = refused.detail("retry_after_ms#").parse().expect("a number");
    assert!((1..=60_000).contains(&wait) && refused.detail("limit#") == "2", "{refused:?}");
}

pub fn answers_announce(b: &Bench) {
    announced(b, OWNER);
    announced(b, SECOND_KEY);
    b.at(START - 5 * SECOND); // a clock that was set back
    announced(b, OWNER);
    let stream = b.key_like("changes");
    let entries = (START, START + 1, START + 2);
    let expected = format!("  {}-0 k={OWNER}\n  {}-0 k={SECOND_KEY}\n  {}-0 k={OWNER}\n", entries.0, entries.1, entries.2);
    assert_eq!(b.dump(), format!("{stream} stream expires\n{expected}"));
}

fn announced(b: &Bench, key: &str) {
    b.ask("api_keys/announce").with("key", key).quietly().run().ok("announced");
}

/// What a replica knows that has read up to there: history, newest announcement.
type Read = (String, String);

/// What a replica that knows this learns: what it knows then, and the announced keys.
fn learns(b: &Bench, (history, after): &Read) -> (Read, Vec<String>) {
    let answer = b.ask("api_keys/announced").with("history", history).with("after", after).run().ok("announced").wrote_nothing();
    ((answer.text(0), answer.text(1)), (2..answer.len()).map(|i| answer.text(i)).collect())
}

fn loses(b: &Bench, (history, after): &Read, most: u64) -> Read {
    let ask = b.ask("api_keys/announced").with("history", history).with("after", after).with("most", most);
    let answer = ask.run().ok("lost").wrote_nothing();
    assert_eq!(answer.len(), 2);
    (answer.text(0), answer.text(1))
}

pub fn answers_announced(b: &Bench) {
    let (quiet, keys) = learns(b, &Read::default());
    assert_eq!((quiet.1.as_str(), keys.len()), ("0-0", 0));
    announced(b, OWNER);
    let (one, keys) = learns(b, &quiet);
    assert_eq!((one.1.as_str(), keys), (format!("{START}-0").as_str(), vec![OWNER.to_owned()]));
    assert_eq!(learns(b, &one), (one.clone(), vec![]), "each is told once");
    loses(b, &("0000".to_owned(), one.1.clone()), 10);
}

pub fn answers_look(b: &Bench) {
    let look = || b.ask("api_keys/look");
    look().run().no("unauthorized");
    minted(b);
    let texts = |answer: Answer| (0..answer.len()).map(|i| answer.text(i)).collect::<Vec<_>>();
    assert_eq!(texts(look().run().ok("admitted").wrote_nothing()), ["me", "-", ACTOR, &START.to_string()]);
    look().with("digest", "d2").run().no("unauthorized");
    b.ask("api_keys/set_scopes").with("scopes", "channels:read").run().ok("set");
    assert_eq!(look().run().ok("admitted").text(1), "channels:read");
    b.ask("api_keys/revoke").run().ok("revoked");
    look().run().no("unauthorized");
}

pub fn answers_mint_gate(b: &Bench) {
    let gate = |ip: &str| b.ask("api_keys/mint_gate").on("window", ip).with("most", 1).run();
    gate("10.0.0.1").ok("open");
    let wait: u64 = gate("10.0.0.1").no("rate_limit_exceeded").detail("retry_after_ms#").parse().expect("a number");
    assert!((1..=60_000).contains(&wait), "{wait}");
    gate("10.0.0.2").ok("open");
    b.ask("api_keys/mint_gate").with("most", 0).run().ok("open").wrote_nothing();
    b.ask("api_keys/minting").with("want", "closed").run().ok("minting");
    gate("10.0.0.3").no("minting_closed");
}

pub fn answers_minting(b: &Bench) {
    let minting = |want: &str| b.ask("api_keys/minting").with("want", want).run().ok("minting").int(0);
    assert_eq!((minting("open"), minting("closed"), minting("closed"), minting("open"), minting("open")), (1, 0, 0, 1, 1));
    assert!(!b.dump().contains("}:closed"), "{}", b.dump());
}

pub fn answers_minting_read(b: &Bench) {
    let read = || b.ask("api_keys/minting_read").run().ok("minting").wrote_nothing().int(0);
    assert_eq!(read(), 1);
    for (want, open) in [("closed", 0), ("open", 1)] {
        b.ask("api_keys/minting").with("want", want).run().ok("minting");
        assert_eq!(read(), open);
    }
}

pub fn answers_read(b: &Bench) {
    b.ask("api_keys/read").run().no("key_not_found");
    minted(b);
    assert_eq!(b.ask("api_keys/read").run().ok("active").wrote_nothing().text(0), "me");
    b.ask("api_keys/revoke").run().ok("revoked");
    b.ask("api_keys/read").run().no("key_not_found");
}

pub fn answers_revoke(b: &Bench) {
    b.ask("api_keys/revoke").run().no("unauthorized");
    minted(b);
    held_up(b, || b.ask("api_keys/revoke"));
    b.ask("api_keys/revoke").run().ok("revoked");
    b.ask("api_keys/revoke").run().no("unauthorized");
}

/// A change that comes more than 4 s after its announcement, or before it by a clock that went back, is not made: nobody reckons with it.
fn held_up<'a>(b: &'a Bench, change: impl Fn() -> Ask<'a>) {
    for announced in [b.now() - 4 * SECOND - 1, b.now() + 1] {
        change().with("announced", announced).run().ok("late").wrote_nothing();
    }
}

pub fn answers_set_scopes(b: &Bench) {
    let set = |scopes: &str| b.ask("api_keys/set_scopes").with("scopes", scopes);
    set("channels:read").run().no("unauthorized");
    minted(b);
    held_up(b, || set("channels:read,messages:read").once("r"));
    set("channels:read,messages:read").once("r").with("announced", b.now() - 4 * SECOND).run().ok("set");
    set("channels:read,messages:read").once("r").run().ok("replayed").wrote_nothing();
    set("channels:read").once("r").with("body", "another").run().no("idempotency_key_reused");
    let refused = set("channels:read,messages:write").run().no("invalid_scope");
    assert_eq!((refused.detail("scope").as_str(), refused.detail("allowed,").as_str()), ("messages:write", "channels:read,messages:read"));
}

#[test]
fn a_minted_key_is_a_record_a_label_and_an_actor_and_nothing_secret() {
    on_both(|b| {
        minted(b);
        let expected = format!(
            "{} hash kept\n  me = {ACTOR}\n{} stream expires\n  {START}-0 i=evt_1 e=key.issue\u{1f}{OWNER}\u{1f}\u{1f}192.0.2.1\u{1f}{{}}\n\
             {} hash kept\n  {ACTOR} = me\u{1f}{OWNER}\u{1f}me\u{1f}{START}\u{1f}\u{1f}\n\
             {} hash kept\n  active = 1\n  actor = {ACTOR}\n  created = {START}\n  digest = d1\n  label = me\n{} hash kept\n  me = {OWNER}\n",
            b.key_of_owner(&format!("actors:{OWNER}")),
            b.key_of_owner(&format!("audit:{OWNER}")),
            b.key_of_owner("book"),
            b.key_of_owner(&format!("key:{OWNER}")),
            b.key_of_owner("labels"),
        );
        assert_eq!(b.dump(), expected);
    });
}

#[test]
fn a_revoked_key_leaves_only_what_expires_and_its_label_is_free() {
    on_both(|b| {
        minted(b);
        b.ask("actors/register").with("id", OTHER_ACTOR).run().ok("created");
        b.ask("channels/name_take").run().ok("taken");
        b.ask("api_keys/admit").with("most", 5).run().ok("admitted");
        let revoked = b.ask("api_keys/revoke").run().ok("revoked");
        assert!(!revoked.after.contains(" kept"), "{}", revoked.after);
        assert!(!revoked.after.contains(ACTOR) || revoked.after.contains(&format!("actor = {ACTOR}")), "{}", revoked.after);
        assert!(revoked.after.contains(CHANNEL), "which channels it had can be read for 30 days:\n{}", revoked.after);
        b.ask("api_keys/admit").run().no("unauthorized");
        // A request that was let in before the revocation leaves nothing that nobody would end.
        b.ask("actors/register").with("name", "late").run().no("unauthorized");
        b.ask("channels/name_take").with("name", "late").run().no("unauthorized");
        b.ask("api_keys/create").on("record", SECOND_KEY).on("actors", SECOND_KEY).with("key", SECOND_KEY).run().ok("created");
        b.ask("api_keys/read").on("record", SECOND_KEY).run().ok("active");
        // A late second revocation of the first does not free the label of the second.
        b.ask("api_keys/revoke").run().no("unauthorized");
        assert!(b.dump().contains(&format!("  me = {SECOND_KEY}\n")), "{}", b.dump());
    });
}

#[test]
fn a_refused_request_is_not_counted_and_a_window_ends_by_itself() {
    on_both(|b| {
        minted(b);
        let window = b.key_of_owner(&format!("window:{OWNER}"));
        b.ask("api_keys/admit").with("most", 1).run().ok("admitted");
        b.ask("api_keys/admit").with("most", 1).run().no("rate_limit_exceeded");
        b.ask("api_keys/admit").with("most", 1).with("digest", "d2").run().no("unauthorized");
        assert_eq!(b.run::<u64>(&["GET", &window]), 1);
        b.run::<()>(&["DEL", &window]);
        b.ask("api_keys/admit").with("most", 1).run().ok("admitted");
    });
}

#[test]
fn scopes_are_only_ever_narrowed_and_none_is_not_all() {
    on_both(|b| {
        minted(b);
        let set = |scopes: &str| b.ask("api_keys/set_scopes").with("scopes", scopes).run();
        let scopes = || {
            let looked = b.ask("api_keys/look").run().ok("admitted").text(1);
            assert_eq!(b.ask("api_keys/admit").run().ok("admitted").text(1), looked);
            looked
        };
        assert_eq!(scopes(), "-");
        set("channels:read,messages:read").ok("set");
        set("messages:read").ok("set");
        set("channels:read,messages:read").no("invalid_scope");
        set("messages:rea").no("invalid_scope");
        set("").ok("set");
        assert_eq!(scopes(), "");
        set("messages:read").no("invalid_scope");
    });
}

#[test]
fn a_replica_reads_each_announcement_once_or_is_told_that_it_missed_some() {
    on_both(|b| {
        for (n, key) in [OWNER, SECOND_KEY, "bck_c"].into_iter().enumerate() {
            b.at(START + n as u64 * 6 * SECOND);
            announced(b, key);
        }
        // Who begins to read asks for what is recent.
        let (begun, keys) = learns(b, &Read::default());
        assert_eq!(keys, [SECOND_KEY, "bck_c"]);
        assert_eq!(learns(b, &(begun.0.clone(), String::new())), (begun.clone(), keys), "also after a while in which nobody waited");
        b.pass(60 * SECOND);
        let (late, keys) = learns(b, &Read::default());
        assert_eq!((&late, keys.len()), (&begun, 0), "it begins behind the newest, however old that is");
        announced(b, OWNER);
        announced(b, OWNER);
        assert_eq!(learns(b, &begun).1, [OWNER, OWNER]);
        // More than are listed.
        announced(b, OWNER);
        assert_eq!(learns(b, &loses(b, &begun, 2)).1.len(), 0, "it goes on from the newest");
        loses(b, &(begun.0.clone(), "0-0".to_owned()), 5);
        loses(b, &Read::default(), 2);
        // Another history, as after a failover, even if the newest announcement is the same.
        let (newest, _) = learns(b, &begun);
        loses(b, &("0000".to_owned(), newest.1.clone()), 10);
        // What was read last is gone: pushed out, or lost with the stream.
        (0..1000).for_each(|_| announced(b, OWNER));
        assert_eq!(b.run::<u64>(&["XLEN", &b.key_like("changes")]), 1000);
        loses(b, &newest, 2000);
        let (newest, _) = learns(b, &Read::default());
        b.run::<()>(&["DEL", &b.key_like("changes")]);
        assert_eq!(loses(b, &newest, 10).1, "0-0");
    });
}
