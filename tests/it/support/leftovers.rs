//! What a test may leave in Redis: each key belongs to a record with an owner, or vanishes by itself.

use deadpool_redis::redis::{Connection, cmd};

use super::keyspace::{expires, keys};
use super::redis::RedisServer;

/// A key that may live without an expiry.
struct Kept {
    /// The name behind the prefix; `*` stands for anything.
    pattern: &'static str,
    /// The record that it belongs to.
    of: Of,
    /// Who ends it, or what bounds it.
    #[allow(dead_code, reason = "for the reader of this table: no entry without a reason")]
    why: &'static str,
}

/// Where the record is that a key belongs to. It must exist and must not be about to expire.
enum Of {
    /// It is a record.
    Itself,
    /// This key of the same hash tag.
    Sibling(&'static str),
    /// This key of the same hash tag, followed by what the pattern's last `*` stood for.
    SiblingOfSameName(&'static str),
    /// Each value of the hash has an owner as its second part: this key of the same hash tag, followed by the owner.
    EachOwner(&'static str),
    /// Each value of the hash names one: this key of the same hash tag, followed by the value.
    EachValue(&'static str),
    /// Each member of the sorted set is the id of a channel: this key of it.
    EachMember(&'static str),
    /// Each field of the hash is the id of an actor: its entry in the book.
    EachActor,
    /// The `meta` of the channel, or the entry in the book of the actor, whose id the string holds.
    WhatIsNamed,
}

const fn kept(pattern: &'static str, of: Of, why: &'static str) -> Kept {
    Kept { pattern, of, why }
}

/// Everything that may live for ever, as `src/store/keyspace.rs` has it. A key that is not here and has no expiry
/// fails the test that left it. The first pattern that fits counts.
const KEPT: &[Kept] = &[
    kept("{ch_*}:meta", Of::Itself, "a channel, until its owner deletes it"),
    kept("{ch_*}:members", Of::Sibling("meta"), "who may use the channel; capped, deleted with it"),
    kept("{ch_*}:roster", Of::Sibling("meta"), "members by when they were let in; as many as members, deleted with the channel"),
    kept("{ch_*}:requests", Of::Sibling("meta"), "access requests that wait; capped, deleted with the channel"),
    kept("{ch_*}:outbox", Of::Sibling("meta"), "what is to be pushed; capped, handed over, deleted with the channel"),
    kept("{bck_*}:key:*", Of::Itself, "an API key; revoking gives it an expiry"),
    kept("{bck_*}:labels", Of::EachValue("key:"), "which key has which label; an entry goes when its key is revoked"),
    kept("{bck_*}:channels:*", Of::SiblingOfSameName("key:"), "a key's names for its channels; capped"),
    kept("{bck_*}:owned:*", Of::SiblingOfSameName("key:"), "a key's channels by age; as many as names"),
    kept("{bck_*}:actors:*", Of::SiblingOfSameName("key:"), "a key's names for its actors; capped"),
    kept(
        "{bck_*}:book",
        Of::EachOwner("key:"),
        "actors by id; capped by their keys' lists of names, an entry goes when its key is revoked",
    ),
    kept("{bck_*}:nicknames", Of::EachActor, "aliases of actors; capped, an entry goes with its actor"),
    kept("{bck_*}:hooks", Of::EachActor, "webhooks of actors, one each; an entry goes with its actor"),
    kept("{alias:*}:target", Of::WhatIsNamed, "a global alias, given up when its channel is deleted"),
    kept("{actor-alias:*}:target", Of::WhatIsNamed, "a global alias, given up when its actor's key is revoked"),
    kept("{discoverable}:listing", Of::EachMember("meta"), "channels that can be found; an entry goes with its channel"),
    kept(
        "{outboxes:*}:index",
        Of::EachMember("meta"),
        "channels that have something to push; an entry goes with its channel, or with a sweep",
    ),
    kept("{jobs:*}:jobs", Of::Itself, "one of a fixed number of queues; capped"),
    kept("{jobs:*}:bundled", Of::Itself, "the same; one number"),
    kept("{jobs:*}:retries", Of::Itself, "the same"),
    kept("{mint}:closed", Of::Itself, "one switch, until minting is opened again"),
];

/// One line for each key of `prefix` that has neither an expiry nor a record it belongs to; empty when all is well.
pub fn leftovers(server: &RedisServer, prefix: &str) -> Vec<String> {
    let mut conn = server.conn();
    let mut found = Vec::new();
    for key in keys(&mut conn, &format!("{prefix}*")) {
        if expires(&mut conn, &key) {
            continue;
        }
        let name = &key[prefix.len()..];
        let Some((kept, last)) = KEPT.iter().find_map(|kept| Some((kept, matched(kept.pattern, name)?))) else {
            found.push(format!("{key}: no expiry, and not in KEPT (tests/it/support/leftovers.rs)"));
            continue;
        };
        for record in records(&mut conn, &kept.of, &key, prefix, last) {
            if let Some((book, actor)) = record.split_once(' ') {
                let known: bool = cmd("HEXISTS").arg(book).arg(actor).query(&mut conn).expect("a book is a hash");
                if !known {
                    found.push(format!("{key}: no expiry, and its actor {actor} is gone"));
                }
                continue;
            }
            if !exists(&mut conn, &record) {
                found.push(format!("{key}: no expiry, and its record {record} is gone"));
            } else if expires(&mut conn, &record) && !key.contains("{outboxes:") {
                // What ends by itself leaves its entry in the index of outboxes to the workers' sweep.
                found.push(format!("{key}: no expiry, and its record {record} will be gone before it"));
            }
        }
    }
    found
}

/// The names of the records; an actor's is its book and its id, with a blank in between.
fn records(conn: &mut Connection, of: &Of, key: &str, prefix: &str, last: &str) -> Vec<String> {
    let tagged = key.rfind('}').map_or("", |end| &key[..=end]);
    match of {
        Of::Itself => vec![],
        Of::Sibling(name) => vec![format!("{tagged}:{name}")],
        Of::SiblingOfSameName(name) => vec![format!("{tagged}:{name}{last}")],
        Of::EachOwner(name) => {
            let values: Vec<String> = cmd("HVALS").arg(key).query(conn).expect("it is a hash");
            values.iter().map(|value| format!("{tagged}:{name}{}", value.split('\u{1f}').nth(1).unwrap_or_default())).collect()
        }
        Of::EachValue(name) => {
            let values: Vec<String> = cmd("HVALS").arg(key).query(conn).expect("it is a hash");
            values.iter().map(|value| format!("{tagged}:{name}{value}")).collect()
        }
        Of::EachMember(name) => {
            let members: Vec<String> = cmd("ZRANGE").arg(key).arg(0).arg(-1).query(conn).expect("it is a sorted set");
            members.iter().map(|member| format!("{prefix}{{{member}}}:{name}")).collect()
        }
        Of::EachActor => {
            let actors: Vec<String> = cmd("HKEYS").arg(key).query(conn).expect("it is a hash");
            actors.iter().map(|actor| format!("{tagged}:book {actor}")).collect()
        }
        Of::WhatIsNamed => {
            let id: Option<String> = cmd("GET").arg(key).query(conn).expect("it is a string");
            let id = id.unwrap_or_default();
            match id.strip_prefix("act_") {
                Some(rest) => vec![format!("{prefix}{{bck_{}}}:book {id}", &rest[..rest.len().min(16)])],
                None => vec![format!("{prefix}{{{id}}}:meta")],
            }
        }
    }
}

fn exists(conn: &mut Connection, key: &str) -> bool {
    cmd("EXISTS").arg(key).query(conn).expect("EXISTS takes any key")
}

/// Glob with `*` only: what the last `*` stood for, when all of `name` fits.
fn matched<'a>(pattern: &str, name: &'a str) -> Option<&'a str> {
    let Some((start, rest)) = pattern.split_once('*') else {
        return (pattern == name).then_some("");
    };
    let name = name.strip_prefix(start)?;
    if rest.is_empty() {
        return Some(name);
    }
    let last_star = !rest.contains('*');
    (0..=name.len()).filter(|&at| name.is_char_boundary(at)).find_map(|at| {
        let inner = matched(rest, &name[at..])?;
        Some(if last_star { &name[..at] } else { inner })
    })
}

#[test]
fn finds_keys_without_owner_or_expiry() {
    let server = RedisServer::shared();
    let p = server.prefix();
    let set = |name: &str, value: &str| server.run::<()>(&["SET", &format!("{p}{name}"), value]);
    let hash = |name: &str, field: &str, value: &str| server.run::<()>(&["HSET", &format!("{p}{name}"), field, value]);
    hash("{ch_a}:meta", "name", "x");
    hash("{ch_a}:members", "bck_s1", "0");
    hash("{ch_b}:members", "bck_s1", "0");
    set("{ch_a}:log", "without expiry");
    server.run::<()>(&["SET", &format!("{p}{{ch_c}}:log"), "1", "EX", "60"]);
    hash("{bck_s}:key:bck_s1", "active", "1");
    hash("{bck_s}:labels", "me", "bck_s1");
    hash("{bck_s}:actors:bck_s1", "me", "act_s1");
    hash("{bck_s}:book", "act_s1", "me\u{1f}bck_s1\u{1f}me");
    hash("{bck_s}:key:bck_s2", "active", "0");
    server.run::<i64>(&["EXPIRE", &format!("{p}{{bck_s}}:key:bck_s2"), "60"]);
    hash("{bck_s}:book", "act_s2", "me\u{1f}bck_s2\u{1f}me");
    hash("{bck_s}:channels:bck_s3", "tasks", "ch_a");
    set("{alias:good}:target", "ch_a");
    set("{alias:stale}:target", "ch_z");
    server.run::<()>(&["ZADD", &format!("{p}{{discoverable}}:listing"), "1", "ch_a", "2", "ch_y"]);
    set("odd", "1");
    hash("{bck_ssssssssssssssss}:book", "act_ssssssssssssssss1", "me\u{1f}bck_s1\u{1f}me");
    hash("{bck_ssssssssssssssss}:key:bck_s1", "active", "1");
    set("{actor-alias:good}:target", "act_ssssssssssssssss1");
    set("{actor-alias:stale}:target", "act_ssssssssssssssss2");
    hash("{bck_ssssssssssssssss}:hooks", "act_ssssssssssssssss1", "u");
    hash("{bck_ssssssssssssssss}:hooks", "act_ssssssssssssssss3", "u");
    server.run::<()>(&["ZADD", &format!("{p}{{outboxes:3}}:index"), "1", "ch_a", "2", "ch_x"]);
    let expected = [
        "{p}odd: no expiry, and not in KEPT (tests/it/support/leftovers.rs)",
        "{p}{actor-alias:stale}:target: no expiry, and its actor act_ssssssssssssssss2 is gone",
        "{p}{alias:stale}:target: no expiry, and its record {p}{ch_z}:meta is gone",
        "{p}{bck_ssssssssssssssss}:hooks: no expiry, and its actor act_ssssssssssssssss3 is gone",
        "{p}{bck_s}:book: no expiry, and its record {p}{bck_s}:key:bck_s2 will be gone before it",
        "{p}{bck_s}:channels:bck_s3: no expiry, and its record {p}{bck_s}:key:bck_s3 is gone",
        "{p}{ch_a}:log: no expiry, and not in KEPT (tests/it/support/leftovers.rs)",
        "{p}{ch_b}:members: no expiry, and its record {p}{ch_b}:meta is gone",
        "{p}{discoverable}:listing: no expiry, and its record {p}{ch_y}:meta is gone",
        "{p}{outboxes:3}:index: no expiry, and its record {p}{ch_x}:meta is gone",
    ];
    assert_eq!(leftovers(&server, &p), expected.map(|line| line.replace("{p}", &p)));
}
