//! Every setting once: variable, default, what is allowed, one sentence.
//!
//! The table below makes the [`Settings`] struct, the flags of the command line (`--rate-limit` is `BACKCHANNEL_RATE_LIMIT`) and
//! `docs/configuration.md`. A flag wins over its variable, an empty text counts as unset, and all mistakes are reported at once.

mod document;
mod flags;
mod kinds;
mod mistakes;
mod reader;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::store::Terms;
use crate::store::target::RedisTarget;

pub use document::configuration_md;
pub use flags::{Loaded, SettingFlags};
pub use kinds::{Durability, LogFormat, Secret};
pub use mistakes::Mistake;

use reader::Reader;

use kinds::{
    Address, Authorities, BaseUrl, Described, Durabilities, Folder, HeaderSecret, Hosts, LogFilter, LogFormats, Millis, Networks, Optional,
    Port, Program, RedisUrl, Seconds, SecondsList, SecretFile, Switch, Text, Whole, is_key_character, is_word_character,
};

/// What every variable starts with.
pub const PREFIX: &str = "BACKCHANNEL_";

/// Which column of defaults holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defaults {
    /// A replica of a fleet.
    Serve,
    /// A newcomer's own machine: loopback only, no limits on requests and keys, quick expiry.
    Dev,
}

/// One row of the table, without the type it reads into.
pub struct Row {
    /// The heading it stands under in the help and in `docs/configuration.md`.
    pub section: &'static str,
    /// The variable.
    pub name: &'static str,
    /// The default of `serve`; empty: unset.
    pub default: &'static str,
    /// The default of `dev` where it differs.
    pub dev_default: Option<&'static str>,
    /// One sentence.
    pub help: &'static str,
    kind: &'static dyn Described,
}

impl Row {
    /// The flag without its dashes.
    pub fn flag(&self) -> String {
        self.name.strip_prefix(PREFIX).unwrap_or(self.name).to_ascii_lowercase().replace('_', "-")
    }

    /// What is allowed, to be read after "must be".
    pub fn allowed(&self) -> String {
        self.kind.allowed()
    }

    fn shown(&self, text: &str) -> Option<String> {
        self.kind.shown(text)
    }

    fn default_for(&self, defaults: Defaults) -> &'static str {
        match defaults {
            Defaults::Serve => self.default,
            Defaults::Dev => self.dev_default.unwrap_or(self.default),
        }
    }
}

/// The first of at most one; lets the table leave out what most rows do not have.
const fn maybe(list: &[&'static str]) -> Option<&'static str> {
    match list {
        [] => None,
        [first, ..] => Some(first),
    }
}

/// The name of a row's variable. Those of rooms have no prefix: operators of earlier bridges have set them under these names.
macro_rules! variable {
    (bare $name:literal) => {
        $name
    };
    ($name:literal) => {
        concat!("BACKCHANNEL_", $name)
    };
}

/// Turns the table into the struct, the rows and the reading of them. A row is
/// `field: Type = "NAME", default (and that of dev, where it differs), kind, "One sentence."`
macro_rules! settings {
    ( $( $section:literal { $( $field:ident : $type:ty = $($bare:ident)? $name:literal, $default:literal $(dev $dev:literal)?, $kind:expr, $help:literal; )* } )* ) => {
        /// All settings, read and checked. Units are in the types or the names: `_s` is seconds.
        #[derive(Clone)]
        pub struct Settings {
            $( $( #[doc = $help] pub $field: $type, )* )*
        }

        /// Every setting, in the order of the help and of `docs/configuration.md`.
        pub static TABLE: &[Row] = &[ $( $( Row {
            section: $section,
            name: variable!($($bare)? $name),
            default: $default,
            dev_default: maybe(&[$($dev)?]),
            help: $help,
            kind: &$kind,
        }, )* )* ];

        impl Settings {
            /// `None` if there was any mistake; the reader has them all.
            fn read(reader: &mut Reader) -> Option<Self> {
                $( $( let $field = reader.read(variable!($($bare)? $name), &$kind); )* )*
                Some(Self { $( $( $field: $field?, )* )* })
            }
        }
    };
}

settings! {
    "Listening" {
        host: IpAddr = "HOST", "0.0.0.0" dev "127.0.0.1", Address,
            "Address to listen on.";
        port: u16 = "PORT", "8080", Port,
            "Port of the API.";
        metrics_port: Option<u16> = "METRICS_PORT", "", Optional(Port),
            "Port for /metrics alone; unset, /metrics is public on the port of the API.";
        base_url: Option<String> = "BASE_URL", "", Optional(BaseUrl),
            "Public URL that documents and answers advertise; unset, it follows from the request's host.";
        allowed_hosts: Vec<String> = "ALLOWED_HOSTS", "", Hosts,
            "Hosts that may be advertised; for any other the first one is.";
        trusted_proxies: Vec<IpNet> = "TRUSTED_PROXIES", "", Networks,
            "Proxies whose X-Forwarded-For, -Host and -Proto are believed.";
        max_connections: usize = "MAX_CONNECTIONS", "20000" dev "1000", Whole::<usize>::new(1, 1_000_000),
            "Open connections of one replica; further ones wait to be accepted.";
        request_read_timeout: Duration = "REQUEST_READ_TIMEOUT_SECONDS", "10", Seconds { min: 1, max: 300 },
            "Longest time a client may take to send a request's headers, and again to send its body.";
        idle_timeout: Duration = "IDLE_TIMEOUT_SECONDS", "75", Seconds { min: 1, max: 3600 },
            "Longest time a connection may wait for its next request; keep it above that of a load balancer in front.";
        write_timeout: Duration = "WRITE_TIMEOUT_SECONDS", "30", Seconds { min: 1, max: 600 },
            "Longest time a client may take nothing of a response.";
        drain: Duration = "DRAIN_SECONDS", "20", Seconds { min: 0, max: 600 },
            "Graceful stop: longest time to finish what runs. Waiting requests are answered at once, so it need not cover the longest wait; keep it below the orchestrator's grace period.";
        unready_after: Duration = "UNREADY_AFTER_SECONDS", "30", Seconds { min: 0, max: 3600 },
            "How long Redis must be away, without a break, until /readyz says 503. All replicas have the same Redis, so a short trouble would otherwise take all of them out of the load balancer.";
    }
    "Process" {
        threads: usize = "THREADS", "1", Whole::<usize>::new(1, 256),
            "Threads that requests or deliveries run on. One costs least per request and nearly fills a Redis server; for more, rather start more replicas.";
    }
    "Redis" {
        redis_url: RedisTarget = "REDIS_URL", "redis://127.0.0.1:6379/0", RedisUrl,
            "Where Redis is: one server, Sentinel or a cluster. `dev` starts its own and ignores this.";
        redis_password: Option<Secret> = "REDIS_PASSWORD_FILE", "", Optional(SecretFile),
            "File with the password for Redis, so that it need not stand in the URL; the user stays there (redis://user@host). Sentinels' own password stays in their URL.";
        redis_authorities: Option<Vec<u8>> = "REDIS_TLS_CA_FILE", "", Optional(Authorities),
            "Authorities whose certificates Redis and sentinels may show (rediss://); unset, those of the system.";
        key_prefix: String = "KEY_PREFIX", "bc:", Text { max: 64, of: "letters, digits and . _ : -", ok: is_key_character },
            "What every key in Redis starts with; replicas with the same prefix are one fleet.";
        redis_connections: usize = "REDIS_CONNECTIONS", "1", Whole::<usize>::new(1, 64),
            "Connections for commands, each shared by many requests. One sends most of them together.";
        redis_timeout: Duration = "REDIS_TIMEOUT_MS", "1500", Millis { min: 50, max: 60_000 },
            "Longest time to wait for the answer to a command.";
        durability: Durability = "DURABILITY", "primary", Durabilities,
            "When a change of a message is answered as done: once the primary has it, or once replicas of Redis have confirmed it too (else 503 not_replicated).";
        durability_replicas: usize = "DURABILITY_REPLICAS", "1", Whole::<usize>::new(1, 16),
            "How many replicas must confirm, where DURABILITY is replicated.";
        durability_timeout: Duration = "DURABILITY_TIMEOUT_MS", "1000", Millis { min: 10, max: 60_000 },
            "How long to wait for them; never longer than REDIS_TIMEOUT_MS.";
    }
    "Limits" {
        rate_limit: u64 = "RATE_LIMIT", "120" dev "0", Whole::<u64>::or_zero(1_000_000, "no limit"),
            "Requests of one key in a window, over the whole fleet.";
        rate_limit_window_s: u64 = "RATE_LIMIT_WINDOW", "60", Whole::<u64>::new(1, 86_400),
            "Length of that window in seconds.";
        key_mint_limit: u64 = "KEY_MINT_LIMIT", "5" dev "0", Whole::<u64>::or_zero(1_000_000, "no limit"),
            "Keys that one client address may mint in a window, over the whole fleet.";
        key_mint_window_s: u64 = "KEY_MINT_WINDOW", "3600", Whole::<u64>::new(1, 2_592_000),
            "Length of that window in seconds.";
        invitation_lookup_limit: u64 = "INVITATION_LOOKUP_LIMIT", "10" dev "0", Whole::<u64>::or_zero(1_000_000, "no limit"),
            "Invitations that one client address may look up in 60 seconds, over the whole fleet.";
        flood_limit: u32 = "FLOOD_LIMIT", "1000" dev "0", Whole::<u32>::or_zero(1_000_000, "off"),
            "Requests per second of one client address on one replica before it sheds them.";
        max_channels_per_key: u64 = "MAX_CHANNELS_PER_KEY", "1000", Whole::<u64>::new(1, 1_000_000),
            "Channels that one key may own.";
        max_actors_per_key: u64 = "MAX_ACTORS_PER_KEY", "1000", Whole::<u64>::new(1, 1_000_000),
            "Actors that one key may own.";
        max_sessions_per_key: u64 = "MAX_SESSIONS_PER_KEY", "100", Whole::<u64>::new(1, 10_000),
            "Live sessions that one key may have.";
        max_members_per_channel: u64 = "MAX_MEMBERS_PER_CHANNEL", "1000", Whole::<u64>::new(1, 1_000_000),
            "Members of one channel.";
        max_access_requests_per_channel: u64 = "MAX_ACCESS_REQUESTS_PER_CHANNEL", "100", Whole::<u64>::new(1, 1000),
            "Access requests to one channel that wait for an answer.";
        max_invitations_per_channel: u64 = "MAX_INVITATIONS_PER_CHANNEL", "100", Whole::<u64>::new(1, 1000),
            "Invitations to one channel that were made within 24 hours; revoked ones count too.";
        max_messages_per_channel: u64 = "MAX_MESSAGES_PER_CHANNEL", "1000000", Whole::<u64>::new(1, 100_000_000),
            "Messages kept in a channel, whatever it asks for; one that names no maximum then refuses posts with quota_exceeded.";
        max_bytes_per_channel: u64 = "MAX_BYTES_PER_CHANNEL", "536870912", Whole::<u64>::new(65_536, 1_099_511_627_776),
            "Memory that the messages of a channel may take in Redis, in bytes; a ring drops its oldest then, another channel refuses posts with quota_exceeded.";
        max_bytes_per_key_per_day: u64 = "MAX_BYTES_PER_KEY_PER_DAY", "1073741824" dev "0", Whole::<u64>::or_zero(1_125_899_906_842_624, "no limit"),
            "Bytes that one key may post in a day (UTC), wherever it posts them; replicas hear of each other's share with a delay of USAGE_FLUSH_SECONDS.";
        max_bytes_per_key: u64 = "MAX_BYTES_PER_KEY", "1073741824" dev "0", Whole::<u64>::or_zero(1_125_899_906_842_624, "no limit"),
            "Memory that the messages, claims and results of all channels of one key may take in Redis, in bytes, whoever posts them; then these channels refuse posts with quota_exceeded. They are looked at now and then: it may be a little more.";
        max_leases_per_key: u64 = "MAX_LEASES_PER_KEY", "100000", Whole::<u64>::or_zero(10_000_000, "no limit"),
            "Leases of one key that may run at the same time, on all channels; replicas hear of each other's with a delay of USAGE_FLUSH_SECONDS, so it may be a tenth more for each.";
        max_leases_per_channel: u64 = "MAX_LEASES_PER_CHANNEL", "100000", Whole::<u64>::new(1, 10_000_000),
            "Leases of one channel that may run at the same time.";
        max_redis_bytes: u64 = "MAX_REDIS_BYTES", "0", Whole::<u64>::or_zero(1_125_899_906_842_624, "nine tenths of Redis' own maxmemory, if it has one"),
            "Memory of a Redis node, in bytes, above which posts and whatever else adds something are answered with storage_full; reading, claiming and acknowledging go on.";
        max_message_bytes: usize = "MAX_MESSAGE_BYTES", "10000", Whole::<usize>::new(1, 1_000_000),
            "Longest content of a message, in bytes of UTF-8.";
    }
    "Channels and messages" {
        default_ttl_s: u64 = "DEFAULT_TTL_SECONDS", "86400", Whole::<u64>::new(1, 2_592_000),
            "Life of a message, in seconds, where the channel's creator names none.";
        min_ttl_s: u64 = "MIN_TTL_SECONDS", "300" dev "1", Whole::<u64>::new(1, 2_592_000),
            "Shortest life of a message that a channel may ask for, in seconds; low values let tests and demos see real expiry.";
        default_retention_days: u64 = "DEFAULT_RETENTION_DAYS", "7", Whole::<u64>::new(1, 365),
            "Days that expired messages stay in the history, where the channel's creator names none.";
        default_discoverable: bool = "DEFAULT_DISCOVERABLE", "true", Switch,
            "Whether an open channel is listed for everybody, where its creator does not say.";
        channel_idle_days: u64 = "CHANNEL_IDLE_DAYS", "0", Whole::<u64>::or_zero(3650, "off"),
            "Days without a post or a change of its settings after which a channel is deleted, once its messages and their history have ended too; its owner's audit says so. Workers do that, so they need this setting.";
        auto_idempotency_s: u64 = "AUTO_IDEMPOTENCY_SECONDS", "0", Whole::<u64>::or_zero(86_400, "off"),
            "Seconds for which an identical write without an Idempotency-Key is taken for a retry.";
    }
    "Sandbox" {
        sandbox: bool = "SANDBOX", "false" dev "true", Switch,
            "Whether there is the channel `sandbox`: broadcast, open to every key, with a bot that posts when nobody does.";
        sandbox_ttl_s: u64 = "SANDBOX_TTL_SECONDS", "600", Whole::<u64>::new(1, 2_592_000),
            "Life of a message in the sandbox, in seconds.";
        sandbox_max_messages: u64 = "SANDBOX_MAX_MESSAGES", "200", Whole::<u64>::new(1, 1_000_000),
            "Messages kept in the sandbox; the oldest make room.";
        sandbox_max_writes_per_minute: u64 = "SANDBOX_MAX_WRITES_PER_MINUTE", "60", Whole::<u64>::new(1, 1_000_000),
            "Messages that the sandbox takes in a minute.";
        sandbox_heartbeat_s: u64 = "SANDBOX_HEARTBEAT_SECONDS", "60", Whole::<u64>::new(1, 86_400),
            "Seconds without a message after which the bot posts one.";
    }
    "Waiting" {
        longpoll_enabled: bool = "LONGPOLL_ENABLED", "true", Switch,
            "Whether a request may wait for messages; if not, it is answered at once.";
        longpoll_max_wait: Duration = "LONGPOLL_MAX_WAIT_SECONDS", "25", Seconds { min: 0, max: 50 },
            "Longest wait of a request; keep it below the timeouts of clients and proxies.";
        longpoll_max_waiters: usize = "LONGPOLL_MAX_WAITERS", "15000", Whole::<usize>::new(0, 1_000_000),
            "Requests that may wait on one replica; further ones are answered at once.";
        longpoll_max_waiters_per_key: usize = "LONGPOLL_MAX_WAITERS_PER_KEY", "1000" dev "0", Whole::<usize>::or_zero(1_000_000, "no limit"),
            "Requests of one key that may wait on one replica; further ones are answered at once. Polls of rooms, which need no key, count by client address.";
    }
    "Webhooks" {
        webhook_timeout: Duration = "WEBHOOK_TIMEOUT_SECONDS", "15", Seconds { min: 1, max: 60 },
            "Longest time for one try of a delivery, from the connection to the answer.";
        webhook_retry_delays: Vec<Duration> = "WEBHOOK_RETRY_SECONDS", "5,30,120,600,3600,14400,43200", SecondsList,
            "Waits between the tries of a delivery, each up to a fifth longer or shorter; after the last one it is a dead letter.";
        webhook_concurrency: usize = "WEBHOOK_CONCURRENCY", "256", Whole::<usize>::new(1, 10_000),
            "Deliveries that one worker tries at the same time.";
        webhook_per_host: usize = "WEBHOOK_PER_HOST", "4", Whole::<usize>::new(1, 1000),
            "Of these, at most so many to one host and port.";
        webhook_queue_max: u64 = "WEBHOOK_QUEUE_MAX", "100000", Whole::<u64>::new(1, 10_000_000),
            "Deliveries that wait in one of the 8 queues; further ones stay in the outboxes of their channels.";
        webhook_disable_after: Duration = "WEBHOOK_DISABLE_AFTER_SECONDS", "432000", Seconds { min: 1, max: 2_592_000 },
            "A webhook that has only failed for so long is taken away; its channel's events and its owner's audit say so.";
        webhook_allow_private: bool = "WEBHOOK_ALLOW_PRIVATE", "false", Switch,
            "Whether webhooks may lead to addresses and ports that are not public; only where everybody with a key is trusted.";
        webhook_allow_networks: Vec<IpNet> = "WEBHOOK_ALLOW_NETWORKS", "" dev "127.0.0.0/8,::1/128", Networks,
            "Networks that webhooks may lead to although they are not public.";
    }
    "Rooms" {
        room_max_participants: u64 = bare "CH_MAX_PARTICIPANTS", "20", Whole::<u64>::new(1, 1000),
            "Participants of one room.";
        room_max_messages: u64 = bare "CH_MAX_MESSAGES", "10000", Whole::<u64>::new(2, 1_000_000),
            "Entries of a room's log, joins and leaves included; then the room ends.";
        room_idle: Duration = bare "CH_IDLE_TIMEOUT_MS", "1800000", Millis { min: 100, max: 604_800_000 },
            "A room that nobody polls, joins or sends to for so long falls asleep: its messages and participants are dropped, its link stays.";
        room_hibernate: Duration = bare "CH_HIBERNATE_MAX_MS", "86400000", Millis { min: 100, max: 604_800_000 },
            "A room that slept for so long ends.";
        room_lifetime: Duration = bare "CH_MAX_LIFETIME_MS", "129600000", Millis { min: 1000, max: 604_800_000 },
            "Longest life of a room, asleep or awake.";
        room_poll_timeout: Duration = bare "CH_POLL_TIMEOUT_MS", "50000", Millis { min: 10, max: 90_000 },
            "How long a poll is held; keep it below the timeouts of clients and proxies.";
        room_creations_per_hour: u64 = bare "RL_CHANNELS_PER_HOUR", "10" dev "0", Whole::<u64>::or_zero(1_000_000, "no limit"),
            "Rooms that one client address may make in an hour, over the whole fleet.";
        room_messages_per_hour: u64 = bare "RL_MESSAGES_PER_HOUR", "1000" dev "0", Whole::<u64>::or_zero(10_000_000, "no limit"),
            "Messages that one client address may send to rooms in an hour, over the whole fleet.";
        room_joins_per_hour: u64 = bare "RL_JOINS_PER_HOUR", "120" dev "0", Whole::<u64>::or_zero(1_000_000, "no limit"),
            "Rooms that one client address may join in an hour, over the whole fleet.";
        rooms_per_address: u64 = bare "RL_CONCURRENT_CHANNELS_PER_IP", "10" dev "0", Whole::<u64>::or_zero(100, "no limit"),
            "Rooms of one client address that are awake at a time; at most 100.";
    }
    "Operating" {
        admin_token: Option<Secret> = "ADMIN_TOKEN", "", Optional(HeaderSecret),
            "Secret for the X-Admin-Token header; unset, the admin operations are off. Prefer the variable: a flag shows in the process list.";
        audit_retention_days: u64 = "AUDIT_RETENTION_DAYS", "90", Whole::<u64>::new(1, 3650),
            "Days that security events stay in the audit.";
        usage_flush: Duration = "USAGE_FLUSH_SECONDS", "5", Seconds { min: 1, max: 3600 },
            "How often a replica adds what it counted for each key to the counters in Redis; other replicas show it so much later.";
        instance_kind: String = "INSTANCE_KIND", "self-hosted", Text { max: 64, of: "letters, digits and . _ -", ok: is_word_character },
            "What /health says this instance is.";
        survey_keys_per_second: u64 = "SURVEY_KEYS_PER_SECOND", "10000", Whole::<u64>::or_zero(1_000_000, "off"),
            "Keys of Redis that the one worker with the fleet's background work walks in a second, to count channels and to find the oldest open message; every 5 seconds at most it begins anew.";
        log_format: LogFormat = "LOG_FORMAT", "json" dev "text", LogFormats,
            "How log lines are written, to standard error.";
        log_level: String = "LOG_LEVEL", "info" dev "warn", LogFilter,
            "Which log lines are written.";
    }
    "Only for dev" {
        data_dir: Option<PathBuf> = "DATA_DIR", "", Optional(Folder),
            "Folder of the private Redis's data; unset, `backchannel` in $XDG_STATE_HOME or ~/.local/state.";
        redis_server: PathBuf = "REDIS_SERVER", "redis-server", Program,
            "The program to start as private Redis, version 7.0 or later.";
    }
}

/// The row of a variable.
fn row(name: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.name == name)
}

impl Settings {
    /// Settings of `serve` from pairs of variable and text; what is not given has its default.
    ///
    /// # Errors
    /// All mistakes: wrong values, unknown names, values that do not go together.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, Vec<Mistake>> {
        Self::with_defaults(Defaults::Serve, pairs)
    }

    /// As [`Settings::from_pairs`], with either column of defaults.
    ///
    /// # Errors
    /// All mistakes, as there.
    pub fn with_defaults(defaults: Defaults, pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, Vec<Mistake>> {
        let mut reader = Reader::new(defaults);
        for (name, text) in pairs {
            if row(&name).is_none() {
                reader.mistakes.push(Mistake::unknown(&name));
            } else if !text.trim().is_empty() {
                reader.values.insert(name, text.trim().to_owned());
            }
        }
        let settings = Self::read(&mut reader).map(|settings| {
            reader.compare(&settings);
            settings.with_redis_complete()
        });
        match settings {
            Some(settings) if reader.mistakes.is_empty() => Ok(settings),
            _ => Err(reader.mistakes),
        }
    }

    /// The URL of Redis together with what the settings beside it say.
    fn with_redis_complete(mut self) -> Self {
        if let Some(password) = &self.redis_password {
            self.redis_url = self.redis_url.with_password(password.expose());
        }
        if let Some(pem) = &self.redis_authorities {
            self.redis_url = self.redis_url.with_authorities(pem);
        }
        self
    }

    /// What replicas of Redis must confirm; None: nothing.
    pub fn replication_terms(&self) -> Option<Terms> {
        let terms = Terms { replicas: self.durability_replicas, timeout: self.durability_timeout.min(self.redis_timeout) };
        (self.durability == Durability::Replicated).then_some(terms)
    }

    /// The longest body that is read, 413 beyond: the longest content with every byte escaped (`\u0001`), and room for metadata,
    /// labels and blanks.
    pub const fn max_body_bytes(&self) -> usize {
        self.max_message_bytes * 6 + 128 * 1024
    }

    /// The defaults of `serve`.
    #[cfg(test)]
    pub fn for_tests() -> Self {
        Self::from_pairs([]).expect("the defaults are allowed")
    }
}

/// Says nothing of the values: some are secret.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
