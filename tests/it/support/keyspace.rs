//! The keyspace as text: what a script wrote, in a form that a test can compare as a whole.

use std::fmt::Write as _;

use deadpool_redis::redis::{Connection, Value, cmd};

use super::redis::RedisServer;

/// All keys that match `pattern` (Redis glob, so write a literal `{` as it is and `[` as `\[`), sorted, each with its
/// type, whether it expires, and what it holds:
///
/// ```text
/// bc:{ch_a}:claims hash expires
///   msg:1 = act_1
/// bc:{ch_a}:leases zset kept
///   1760000000123456 msg:1
/// bc:{ch_a}:log stream kept
///   1-0 content=hello label=me
/// ```
pub fn dump(server: &RedisServer, pattern: &str) -> String {
    let mut conn = server.conn();
    let mut text = String::new();
    for key in keys(&mut conn, pattern) {
        let kind: String = query(&mut conn, &["TYPE", &key]);
        let lines = contents(&mut conn, &key, &kind);
        // Asked last: a key that is still there was there for all of this.
        let lifetime = match query::<i64>(&mut conn, &["PTTL", &key]) {
            -2 => continue,
            -1 => "kept",
            _ => "expires",
        };
        let _ = writeln!(text, "{key} {kind} {lifetime}");
        for line in lines {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

/// All keys that match, sorted. SCAN may give a key twice.
pub fn keys(conn: &mut Connection, pattern: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut cursor = "0".to_owned();
    loop {
        let (next, page): (String, Vec<String>) = query(conn, &["SCAN", &cursor, "MATCH", pattern, "COUNT", "1000"]);
        keys.extend(page);
        if next == "0" {
            break;
        }
        cursor = next;
    }
    keys.sort();
    keys.dedup();
    keys
}

/// Does the key vanish by itself? (A key that is gone has done so.)
pub fn expires(conn: &mut Connection, key: &str) -> bool {
    query::<i64>(conn, &["PTTL", key]) != -1
}

/// One line an entry, in an order that does not depend on how Redis stores it.
fn contents(conn: &mut Connection, key: &str, kind: &str) -> Vec<String> {
    match kind {
        "string" => query::<Option<String>>(conn, &["GET", key]).into_iter().collect(),
        "hash" => {
            let mut fields: Vec<(String, Vec<u8>)> = query(conn, &["HGETALL", key]);
            fields.sort();
            fields.into_iter().map(|(field, value)| format!("{field} = {}", text_or_bytes(value))).collect()
        }
        "zset" => {
            let members: Vec<(String, String)> = query(conn, &["ZRANGE", key, "0", "-1", "WITHSCORES"]);
            members.into_iter().map(|(member, score)| format!("{score} {member}")).collect()
        }
        "set" => {
            let mut members: Vec<String> = query(conn, &["SMEMBERS", key]);
            members.sort();
            members
        }
        "list" => query(conn, &["LRANGE", key, "0", "-1"]),
        "stream" => {
            let entries: Vec<(String, Vec<(String, String)>)> = query(conn, &["XRANGE", key, "-", "+"]);
            entries.into_iter().map(|(id, fields)| stream_line(&id, &fields)).collect()
        }
        other => vec![format!("({other} is not shown)")],
    }
}

fn text_or_bytes(value: Vec<u8>) -> String {
    String::from_utf8(value).unwrap_or_else(|e| e.into_bytes().escape_ascii().to_string())
}

fn stream_line(id: &str, fields: &[(String, String)]) -> String {
    fields.iter().fold(id.to_owned(), |line, (field, value)| format!("{line} {field}={value}"))
}

/// The value of one field of a hash, as text.
pub fn field(server: &RedisServer, key: &str, field: &str) -> Option<String> {
    match server.run(&["HGET", key, field]) {
        Value::Nil => None,
        value => Some(deadpool_redis::redis::from_redis_value(value).expect("a hash holds text")),
    }
}

/// The piece of the scripts that packs the settings of a channel, with `meta` in its place.
pub const SETTINGS: &str = concat!("local meta = KEYS[1]\n", include_str!("../../../lua/lib/settings.lua"));

/// Changes a field of a channel's record behind the back of the service, as it would have been written.
pub fn set_of_channel(server: &RedisServer, meta: &str, field: &str, value: &str) {
    let change = format!("{SETTINGS} redis.call('HSET', meta, ARGV[1], ARGV[2]) pack_settings()");
    server.run::<()>(&["EVAL", &change, "1", meta, field, value]);
}

fn query<T: deadpool_redis::redis::FromRedisValue>(conn: &mut Connection, words: &[&str]) -> T {
    cmd(words[0]).arg(&words[1..]).query(conn).unwrap_or_else(|error| panic!("{}: {error}", words.join(" ")))
}

#[test]
fn shows_each_type_with_its_lifetime() {
    for server in [RedisServer::shared(), RedisServer::cluster_mode()] {
        let p = server.prefix();
        let k = |name: &str| format!("{p}{{ch_a}}:{name}");
        let _: () = server.run(&["SET", &k("text"), "hello", "EX", "60"]);
        let _: () = server.run(&["HSET", &k("hash"), "b", "2", "a", "1"]);
        let _: () = server.run(&["ZADD", &k("zset"), "1760000000123456", "m2", "5", "m1"]);
        let _: () = server.run(&["SADD", &k("set"), "y", "x"]);
        let _: () = server.run(&["RPUSH", &k("list"), "y", "x"]);
        let _: () = server.run(&["XADD", &k("stream"), "7-1", "content", "hi", "by", "me"]);
        let _: () = server.run(&["XADD", &k("stream"), "8-0", "content", "ho"]);
        let expected = "{p}{ch_a}:hash hash kept\n  a = 1\n  b = 2\n\
             {p}{ch_a}:list list kept\n  y\n  x\n\
             {p}{ch_a}:set set kept\n  x\n  y\n\
             {p}{ch_a}:stream stream kept\n  7-1 content=hi by=me\n  8-0 content=ho\n\
             {p}{ch_a}:text string expires\n  hello\n\
             {p}{ch_a}:zset zset kept\n  5 m1\n  1760000000123456 m2\n";
        assert_eq!(dump(&server, &format!("{p}*")), expected.replace("{p}", &p));
        assert_eq!(field(&server, &k("hash"), "a").as_deref(), Some("1"));
        assert_eq!(field(&server, &k("hash"), "c"), None);
    }
}
