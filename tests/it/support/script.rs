//! One script alone: state in, a call by names, reply and the whole keyspace out, at a time that the test sets.
//!
//! Every call also checks what holds for all scripts (see [`Ask::run`]), so a test only says what is special to its case.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;

use backchannel::ids::{ChannelId, InvitationId, KeyId, RoomId};
use backchannel::store::keyspace::{Keyspace, Slot};
use backchannel::store::script::{CLOCK, Parsed, Script};
use backchannel::store::scripts::ALL;
use deadpool_redis::redis::{Connection, FromRedisValue, RedisError, Value, cmd};

use super::answer::Answer;
use super::defaults::default_of;
use super::keyspace::{SETTINGS, dump, keys};
use super::redis::RedisServer;

/// Where the set clock begins: in 2096, so that nothing that a script lets expire at a time of this clock is gone by Redis' own.
/// A multiple of 32: a post at this time trims.
pub const START: u64 = 4_000_000_000_000_000;
pub const SECOND: u64 = 1_000_000;

pub const CHANNEL: &str = "ch_aaaaaaaaaaaaaaaaaaaa";
pub const ROOM: &str = "aaaaaaaaaaaaaaaa";
pub const OWNER: &str = "bck_ooooooooooooooooaaaaaaaaaa";
pub const STRANGER: &str = "bck_ssssssssssssssssaaaaaaaaaa";
pub const SESSION: &str = "ses_aaaaaaaaaaaaaaaaaaaa";
pub const ACTOR: &str = "act_ooooooooooooooooaaaaaaaaaa";
pub const OTHER_ACTOR: &str = "act_ssssssssssssssssaaaaaaaaaa";
pub const DELIVERY: &str = "dlv_aaaaaaaaaaaaaaaaaaaa_1760000000123-0";
pub const INVITATION: &str = "inv_aaaaaaaaaaaaaaaaaaaaaaaaaa";
/// An access request of [`STRANGER`].
pub const REQUEST: &str = "acr_ssssssssssssssssaaaaaaaaaaaaaaaaaaaa";
/// What a post carries unless a test says otherwise. It may be in the log and nowhere else.
pub const CONTENT: &str = "the content of a message";
/// Life of a message and of its history, in seconds, in channels of [`Bench::channel`].
pub const TTL: u64 = 300;
pub const RETENTION: u64 = 600;

/// Key forms that may be kept without an expiry; each belongs to a record with an owner.
const KEPT: &[&str] = &[
    "meta",
    "members",
    "requests",
    "labels",
    "key:",
    "channels:",
    "owned:",
    "actors:",
    "book",
    "nicknames",
    "hooks",
    "closed",
    "target",
    "listing",
    "index",
    "outbox",
    "jobs",
    "retries",
];
/// What dies together, at the deadline that `meta` names.
const DIE_TOGETHER: &[&str] = &["log", "open", "claims", "leases"];
/// What `open`, `leases` and `claims` hold besides messages, so that they stand until the deadline. No test sees it but through the dump.
const PLACEHOLDER: &str = "-";

/// Stands where the script reads the clock: the time is its last argument. Keys that the header does not declare are a fault,
/// published hints are collected, and the rest of the script becomes a function.
const BENCH_CLOCK: &str = include_str!("watched.lua");

/// A place for scripts: one channel, one key, one prefix on one server.
pub struct Bench {
    redis: Arc<RedisServer>,
    conn: RefCell<Connection>,
    prefix: String,
    now: Cell<u64>,
    /// `ok word` and `no word` of every script that ran.
    heard: RefCell<BTreeSet<(&'static str, String)>>,
}

/// Runs a test on a standalone server and on one in cluster mode, where a second slot is an error.
pub fn on_both(test: impl Fn(&Bench)) {
    for redis in [RedisServer::shared(), RedisServer::cluster_mode()] {
        test(&Bench::new(redis));
    }
}

/// The script of this name.
pub fn script(name: &str) -> (&'static Script, &'static Parsed) {
    let script = ALL.iter().find(|s| s.name() == name).unwrap_or_else(|| panic!("there is no script {name}"));
    (script, script.parsed().expect("its header fits"))
}

impl Bench {
    pub fn new(redis: Arc<RedisServer>) -> Self {
        let (prefix, conn) = (redis.prefix(), RefCell::new(redis.conn()));
        Self { redis, conn, prefix, now: Cell::new(START), heard: RefCell::default() }
    }

    pub fn now(&self) -> u64 {
        self.now.get()
    }

    /// Sets the clock, also back.
    pub fn at(&self, now: u64) {
        self.now.set(now);
    }

    pub fn pass(&self, micros: u64) {
        self.at(self.now() + micros);
    }

    pub fn redis(&self) -> &RedisServer {
        &self.redis
    }

    /// Begins a call. Arguments that are not given with [`Ask::with`] have the values of [`default_of`].
    pub fn ask(&self, name: &'static str) -> Ask<'_> {
        Ask { bench: self, name, args: Vec::new(), parameters: Vec::new(), rest: Vec::new(), quiet: false }
    }

    /// A key of the channel: `key("log")`.
    pub fn key(&self, suffix: &str) -> String {
        format!("{}{{{CHANNEL}}}:{suffix}", self.prefix)
    }

    /// A key of the slot of [`OWNER`].
    pub fn key_of_owner(&self, suffix: &str) -> String {
        format!("{}{{{}}}:{suffix}", self.prefix, &OWNER[..20])
    }

    /// The key of this bench that ends so, whatever its slot.
    pub fn key_like(&self, suffix: &str) -> String {
        let found = keys(&mut self.conn.borrow_mut(), &format!("{}*", self.prefix));
        let found = found.into_iter().find(|key| key.ends_with(&format!("}}:{suffix}")));
        found.unwrap_or_else(|| format!("{}{{none}}:{suffix}", self.prefix))
    }

    /// A key of the slot of [`ROOM`].
    pub fn key_of_room(&self, suffix: &str) -> String {
        format!("{}{{room:{ROOM}}}:{suffix}", self.prefix)
    }

    /// All keys of this bench, with what they hold.
    pub fn dump(&self) -> String {
        dump(&self.redis, &format!("{}*", self.prefix))
    }

    /// Somebody who listens at this topic while it lives.
    pub fn listener(&self, topic: &str) -> Connection {
        let mut listener = self.redis.conn();
        cmd("SSUBSCRIBE").arg(topic).query::<Value>(&mut listener).expect("it is confirmed");
        listener
    }

    /// Any command, for states that no script makes.
    pub fn run<T: FromRedisValue>(&self, words: &[&str]) -> T {
        cmd(words[0]).arg(&words[1..]).query(&mut self.conn.borrow_mut()).unwrap_or_else(|error| panic!("{}: {error}", words.join(" ")))
    }

    /// `ok word` and `no word` of what a script answered so far.
    pub fn heard(&self, name: &str) -> BTreeSet<String> {
        self.heard.borrow().iter().filter(|(n, _)| *n == name).map(|(_, word)| word.clone()).collect()
    }

    fn slot_of(&self, name: &str, parsed: &Parsed) -> Slot {
        let keys = Keyspace::new(&self.prefix);
        let has = |key: &str| parsed.keys().any(|k| k.name == key);
        match name {
            _ if has("meta") || has("outbox") || has("pushed") || has("mark") => keys.channel(&ChannelId::parse(CHANNEL).expect("an id")),
            _ if has("alias") => keys.alias("nick"),
            _ if has("closed") || has("audit_of_all") => keys.mint(),
            _ if has("changes") => keys.fleet(),
            _ if has("route") => keys.invitation(&InvitationId::parse(INVITATION).expect("an id")),
            _ if has("room") => keys.room(&RoomId::parse(ROOM).expect("an id")),
            _ if has("awake") => keys.rooms(),
            _ if has("lookups") || has("bucket") || has("held") => keys.address(std::net::Ipv4Addr::LOCALHOST.into()),
            _ if has("listing") => keys.discoverable(),
            _ if has("jobs") => keys.jobs(0),
            _ if has("tries") || has("dead") => keys.hook(CHANNEL),
            _ if has("holder") || has("findings") => keys.duty(),
            _ if has("index") => keys.outboxes(&ChannelId::parse(CHANNEL).expect("an id")),
            _ => keys.key(&KeyId::parse(OWNER).expect("an id")),
        }
    }

    /// What holds after every call, whatever it was.
    fn check_keyspace(&self, what: &str) {
        let all = keys(&mut self.conn.borrow_mut(), &format!("{}*", self.prefix));
        for key in all {
            let suffix = key.rsplit_once("}:").map_or("", |(_, s)| s);
            let dies: i64 = self.run(&["PEXPIRETIME", &key]);
            let may_stay = KEPT.iter().any(|k| suffix == *k || (k.ends_with(':') && suffix.starts_with(k)));
            assert!(dies != -1 || may_stay, "{what}: {key} has no expiry\n{}", self.dump());
            if DIE_TOGETHER.contains(&suffix) {
                let deadline: Option<i64> = self.run(&["HGET", &self.key("meta"), "deadline"]);
                assert!(deadline.is_none_or(|d| d == dies), "{what}: {key} dies at {dies}, the channel at {deadline:?}");
            }
            if suffix.starts_with("idem:") || suffix.starts_with("pin:") {
                let record: String = self.run(&["GET", &key]);
                assert!(record.len() <= 256 && !record.contains(CONTENT), "{what}: {key} holds {record:?}");
            }
        }
        if let Some(settings) = self.run::<Option<Vec<u8>>>(&["HGET", &self.key("meta"), "settings"]) {
            let of_the_record: Vec<u8> = self.run(&["EVAL", &format!("{SETTINGS} return packed()"), "1", &self.key("meta")]);
            assert_eq!(settings.escape_ascii().to_string(), of_the_record.escape_ascii().to_string(), "{what}: settings packed before");
        }
        let deadline: Option<u64> = self.run(&["HGET", &self.key("meta"), "deadline"]);
        if deadline.is_some_and(|d| d > 0) {
            let hold: (Option<String>, Option<String>, Option<String>) = (
                self.run(&["ZSCORE", &self.key("open"), PLACEHOLDER]),
                self.run(&["ZSCORE", &self.key("leases"), PLACEHOLDER]),
                self.run(&["HGET", &self.key("claims"), PLACEHOLDER]),
            );
            let expected = (Some("0".to_owned()), Some("inf".to_owned()), Some(String::new()));
            assert_eq!(hold, expected, "{what}: an index does not stand until the deadline\n{}", self.dump());
        }
    }
}

/// A call being put together.
#[must_use = "a script runs with run()"]
pub struct Ask<'a> {
    bench: &'a Bench,
    name: &'static str,
    args: Vec<(&'static str, String)>,
    parameters: Vec<(&'static str, String)>,
    rest: Vec<String>,
    quiet: bool,
}

impl Ask<'_> {
    /// An argument; the last one of a name holds.
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        assert!(script(self.name).1.args().iter().any(|a| a == name), "{} takes no {name}", self.name);
        self.args.push((name, value.to_string()));
        self
    }

    /// As this key. A post says it in its head; what only the replica asks names none.
    pub fn by(self, key: &str) -> Self {
        let takes = |arg: &str| script(self.name).1.args().iter().any(|a| a == arg);
        match () {
            () if takes("key") => self.with("key", key),
            () if takes("head") => self.with("head", format!("{key}\u{1f}\u{1f}\u{1f}")),
            () => self,
        }
    }

    /// The parameter of a key whose form takes one.
    pub fn on(mut self, key: &'static str, parameter: &str) -> Self {
        self.parameters.push((key, parameter.to_owned()));
        self
    }

    /// As a request with this Idempotency-Key.
    pub fn once(self, request: &str) -> Self {
        self.on("idem", request).with("idem_ms", 86_400_000)
    }

    /// Any values of the rest.
    pub fn values(mut self, values: &[&str]) -> Self {
        self.rest.extend(values.iter().map(|value| (*value).to_owned()));
        self
    }

    /// A name and a value of the rest.
    pub fn rest(mut self, name: &str, value: &str) -> Self {
        self.rest.extend([name.to_owned(), value.to_owned()]);
        self
    }

    /// Without a look at the keyspace: for loops.
    pub fn quietly(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Runs it. Fails the test where an answer is not in the header, a refusal wrote something, a key was left without owner or
    /// expiry, or an idempotency record holds more than facts.
    pub fn run(self) -> Answer {
        let (bench, name, quiet) = (self.bench, self.name, self.quiet);
        let (_, parsed) = script(name);
        let before = if quiet { String::new() } else { bench.dump() };
        let said = self.send().unwrap_or_else(|error| panic!("{name}: {error}"));
        let answer = Answer::read(name, said, before, if quiet { String::new() } else { bench.dump() });
        assert_eq!(answer.now, bench.now(), "{name} answers the time it decided at");
        let declared = if answer.refused {
            parsed.refusals().iter().any(|c| c.spec().word == answer.word)
        } else {
            parsed.oks().contains(&answer.word)
        };
        assert!(declared, "{name}: the header does not have {}", answer.heard_as());
        bench.heard.borrow_mut().insert((name, answer.heard_as()));
        if !quiet {
            assert!(
                !answer.refused || answer.before == answer.after,
                "{name}: refused with {} after it wrote:\n{}",
                answer.word,
                answer.diff()
            );
            assert!(!answer.refused || answer.wakes.is_empty(), "{name}: refused with {} and woke somebody", answer.word);
            bench.check_keyspace(&format!("{name} → {}", answer.heard_as()));
        }
        answer
    }

    /// Only what Redis says, which may be an error: for a Redis in trouble.
    pub fn send(self) -> Result<Value, RedisError> {
        let (_, parsed) = script(self.name);
        let slot = self.bench.slot_of(self.name, parsed);
        let text = parsed.text();
        assert!(text.contains(CLOCK), "{} reads the clock where the bench sets it", self.name);
        let clock = BENCH_CLOCK
            .replace("local wakes", if text.contains("local rest = ") { "rest[#rest] = nil local wakes" } else { "local wakes" });
        let text = format!(
            "{}\nend\nlocal reply = script()\nreturn {{ reply, wakes }}",
            text.replace(CLOCK, &clock).replace("= unpack(ARGV) ", "= unpack(ARGV, 1, #ARGV - 1) ")
        );
        let value_of = |arg: &str| {
            let given = self.args.iter().rev().find(|(n, _)| *n == arg);
            let default = || if arg == "announced" { self.bench.now().to_string() } else { default_of(self.name, arg) };
            given.map_or_else(default, |(_, v)| v.clone())
        };
        // As the replica does: what an idempotent write takes is sent with one only.
        let idem_ms = parsed.args().iter().find(|a| *a == "idem_ms").map(|a| value_of(a));
        let (keys, args) = parsed.sent(idem_ms.and_then(|ms| ms.parse().ok()));
        let mut call = cmd("EVAL");
        call.arg(text).arg(keys);
        for key in parsed.keys().take(keys) {
            let given = self.parameters.iter().rev().find(|(n, _)| *n == key.name).map(|(_, p)| p.as_str());
            let default = if matches!(key.name, "idem" | "pin") { "r1" } else { OWNER };
            let parameter = key.suffix.ends_with(':').then(|| given.unwrap_or(default));
            let mut name = String::new();
            slot.write_key(key, parameter, &mut name).expect("a key of the slot");
            call.arg(name);
        }
        for arg in &parsed.args()[..args] {
            call.arg(value_of(arg));
        }
        call.arg(&self.rest).arg(self.bench.now()).query(&mut *self.bench.conn.borrow_mut())
    }
}
