//! Lua scripts: their headers read, their text expanded, called by names.
//!
//! The header of a script is its contract : `@key` and `@arg` lines become locals, `@ok` and `@no` lines are
//! what it may answer. A header that names a key or code the program does not know, or an answer outside the header, is a fault.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::time::Instant;

use deadpool_redis::redis::{Cmd, Value};

use super::keyspace::{KeyDef, Slot, table};
use super::redis::{Failure, Redis};
use super::reply::Reply;
use super::scripts::LIB;
use crate::error::{ApiError, Code};

/// The line that reads the clock: Redis' own, once. Script tests put a time of theirs in its place.
pub const CLOCK: &str = "local now; do local t = redis.call('TIME'); now = t[1] * 1000000 + t[2] end";

/// What an idempotent write takes, behind all else: the key of its first answer, how long that lives, what it is for. A request without
/// idempotency sends none of them, since each costs Redis time.
const IDEM: &str = "idem";
const IDEM_MS: &str = "idem_ms";
const BODY: &str = "body";

/// A script known by its name; parsed once.
pub struct Script {
    name: &'static str,
    source: &'static str,
    parsed: OnceLock<Result<Parsed, String>>,
}

/// What a script's header says, and the text that Redis gets.
#[derive(Debug)]
pub struct Parsed {
    keys: Vec<&'static KeyDef>,
    args: Vec<String>,
    /// Whether further arguments follow the named ones (the local `rest`).
    rest: bool,
    /// Whether the last key and the last two arguments are left out without idempotency. Not where further arguments follow them.
    may_omit_once: bool,
    oks: Vec<String>,
    refusals: Vec<Code>,
    text: String,
    sha: String,
    /// For each line of `text`: the file and line it came from.
    lines: Vec<(String, usize)>,
}

impl Script {
    pub const fn new(name: &'static str, source: &'static str) -> Self {
        Self { name, source, parsed: OnceLock::new() }
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    /// # Errors
    /// A sentence naming what is wrong with the header. Every script is parsed at start, so this is met there or in the tests.
    pub fn parsed(&self) -> Result<&Parsed, ApiError> {
        self.parsed
            .get_or_init(|| Parsed::read(self.name, &text_of(self.name, self.source)))
            .as_ref()
            .map_err(|why| ApiError::internal(format!("lua/{}.lua: {why}", self.name)))
    }

    /// Begins a call on the keys of this slot.
    pub fn on<'a>(&'static self, slot: &'a Slot) -> Call<'a> {
        Call {
            script: self,
            slot,
            parameters: Vec::new(),
            args: Vec::new(),
            rest: Vec::new(),
            may_send_again: false,
            client_may_repeat: false,
            noting: false,
        }
    }
}

impl Parsed {
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn keys(&self) -> impl Iterator<Item = &'static KeyDef> {
        self.keys.iter().copied()
    }

    pub fn args(&self) -> &[String] {
        &self.args
    }

    /// How many of the keys and of the arguments are sent, the first ones of each, where the first answer is kept so long.
    pub fn sent(&self, idem_ms: Option<&[u8]>) -> (usize, usize) {
        let omitted = self.may_omit_once && idem_ms == Some(b"0");
        if omitted { (self.keys.len() - 1, self.args.len() - 2) } else { (self.keys.len(), self.args.len()) }
    }

    pub fn oks(&self) -> &[String] {
        &self.oks
    }

    pub fn refusals(&self) -> &[Code] {
        &self.refusals
    }

    fn read(name: &str, source: &str) -> Result<Self, String> {
        let (header, _) = source.strip_prefix("--[[").and_then(|s| s.split_once("]]")).ok_or("no header")?;
        let mut slot = None;
        let (mut keys, mut args, mut oks, mut refusals) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut numbers, mut flags, mut rest) = (String::new(), "", false);
        for line in header.lines() {
            let mut words = line.split_whitespace();
            let (tag, word) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            match tag {
                "@slot" => slot = Some(table(word).ok_or(format!("unknown slot {word}"))?),
                "@key" => {
                    let def =
                        slot.ok_or("@key before @slot")?.iter().find(|d| d.name == word).ok_or(format!("keyspace.rs has no key {word}"))?;
                    keys.push(def);
                }
                "@arg" => {
                    args.push(word.to_owned());
                    if words.next() == Some("int") {
                        let given = if word == IDEM_MS { "(idem_ms or 0)" } else { word };
                        numbers += &format!("{word} = {given} + 0 ");
                    }
                }
                "@rest" => {
                    rest = true;
                }
                "@flags" => flags = line.trim_start().trim_start_matches("@flags").trim(),
                "@ok" => oks.push(word.to_owned()),
                "@no" => refusals.push(Code::from_word(word).ok_or(format!("codes.rs has no code {word}"))?),
                other if other.starts_with('@') => return Err(format!("unknown tag {other}")),
                _ => {}
            }
        }
        let is_once = ends_with_once(&keys, &args)?;
        let locals = locals(&keys, &args, rest) + &numbers;
        let shebang = if flags.is_empty() { "#!lua".to_owned() } else { format!("#!lua flags={flags}") };
        let mut text = format!("{shebang}\n{locals}\n{CLOCK}\n");
        let mut lines = vec![(format!("{name} (prelude)"), 0); 3];
        let mut included = Vec::new();
        expand(name, source, &mut text, &mut lines, &mut included)?;
        let sha = deadpool_redis::redis::Script::new(&text).get_hash().to_owned();
        Ok(Self { keys, args, rest, may_omit_once: is_once && !rest, oks, refusals, text, sha, lines })
    }

    /// Puts `lua/file:line` in the place of Redis' own line numbers.
    fn locate(&self, fault: &str) -> String {
        let number = fault.split("user_script:").nth(1).and_then(|t| t.split(|c: char| !c.is_ascii_digit()).next()?.parse::<usize>().ok());
        match number.and_then(|n| self.lines.get(n.checked_sub(1)?)) {
            Some((file, line)) => format!("lua/{file}.lua:{line}: {fault}"),
            None => fault.to_owned(),
        }
    }
}

/// What the program was built with. A debug build takes files of BACKCHANNEL_TEST_LUA_DIR instead, where there are any: tests break
/// scripts on purpose, to show that it is noticed. A release build does not contain that.
fn text_of(name: &str, built_in: &'static str) -> Cow<'static, str> {
    #[cfg(debug_assertions)]
    if let Some(dir) = std::env::var_os("BACKCHANNEL_TEST_LUA_DIR")
        && let Ok(text) = std::fs::read_to_string(std::path::Path::new(&dir).join(format!("{name}.lua")))
    {
        return Cow::Owned(text);
    }
    #[cfg(not(debug_assertions))]
    let _ = name;
    Cow::Borrowed(built_in)
}

/// Whether the header takes what an idempotent write takes.
fn ends_with_once(keys: &[&KeyDef], args: &[String]) -> Result<bool, String> {
    let key = keys.iter().position(|k| k.name == IDEM);
    let arg = args.iter().position(|a| a == IDEM_MS);
    match (key, arg) {
        (None, None) => Ok(false),
        (Some(k), Some(a)) if k + 1 == keys.len() && a + 2 == args.len() && args[a + 1] == BODY => Ok(true),
        _ => Err(format!("@key {IDEM} comes after the other keys, @arg {IDEM_MS} and {BODY} after the other arguments")),
    }
}

/// The first line of a script: what the header names, as locals.
fn locals(keys: &[&KeyDef], args: &[String], rest: bool) -> String {
    let names: Vec<&str> = keys.iter().map(|k| k.name).collect();
    let mut line = String::new();
    if !names.is_empty() {
        line += &format!("local {} = unpack(KEYS) ", names.join(", "));
    }
    if !args.is_empty() {
        line += &format!("local {} = unpack(ARGV) ", args.join(", "));
    }
    if rest {
        line += &format!("local rest = {{unpack(ARGV, {})}} ", args.len() + 1);
    }
    line
}

/// Appends a source without its header, with each included piece once in its scope, before its first use.
fn expand(name: &str, source: &str, text: &mut String, lines: &mut Vec<(String, usize)>, included: &mut Vec<String>) -> Result<(), String> {
    let mut in_header = source.starts_with("--[[");
    for (i, line) in source.lines().enumerate() {
        if in_header {
            in_header = !line.contains("]]");
            continue;
        }
        if let Some(piece) = line.trim().strip_prefix("--- @include ") {
            if !included.iter().any(|p| p == piece) {
                let (_, body) = LIB.iter().find(|(n, _)| *n == piece).ok_or(format!("no piece {piece}"))?;
                // Indented: the piece's locals live in that block only, so another block may include it again.
                let mut inside = included.clone();
                let scope = if line.starts_with(' ') { &mut inside } else { &mut *included };
                scope.push(piece.to_owned());
                expand(piece, &text_of(piece, body), text, lines, scope)?;
            }
            continue;
        }
        let code = line.trim();
        if code.is_empty() || code.starts_with("--") {
            continue; // a script is sent seldom but kept in memory by Redis for good
        }
        text.push_str(line);
        text.push('\n');
        lines.push((name.to_owned(), i + 1));
    }
    Ok(())
}

/// A call being put together: keys by slot, arguments by name.
pub struct Call<'a> {
    script: &'static Script,
    slot: &'a Slot,
    parameters: Vec<(&'static str, Cow<'a, str>)>,
    args: Vec<(&'static str, Cow<'a, [u8]>)>,
    rest: Vec<Cow<'a, [u8]>>,
    may_send_again: bool,
    client_may_repeat: bool,
    noting: bool,
}

impl<'a> Call<'a> {
    /// The parameter of a key whose form takes one.
    pub fn key(mut self, name: &'static str, parameter: impl Into<Cow<'a, str>>) -> Self {
        self.parameters.push((name, parameter.into()));
        self
    }

    /// A text argument.
    pub fn arg(mut self, name: &'static str, value: &'a str) -> Self {
        self.args.push((name, Cow::Borrowed(value.as_bytes())));
        self
    }

    /// A whole number as argument.
    pub fn int(mut self, name: &'static str, value: u64) -> Self {
        self.args.push((name, Cow::Owned(value.to_string().into_bytes())));
        self
    }

    /// Further arguments, after the named ones.
    pub fn rest(mut self, values: impl IntoIterator<Item = String>) -> Self {
        self.rest.extend(values.into_iter().map(|v| Cow::Owned(v.into_bytes())));
        self
    }

    /// Says that doing this twice does no more than once, so that a lost answer may be asked for again: by the replica, and by its client.
    pub fn may_send_again(mut self, yes: bool) -> Self {
        (self.may_send_again, self.client_may_repeat) = (yes, yes);
        self
    }

    /// Says that the replica may ask again for a lost answer, since it offers the same secret; its client cannot, and is told that the
    /// outcome is unknown.
    pub fn only_the_replica_may_send_again(mut self) -> Self {
        self.may_send_again = true;
        self
    }

    /// Says that [`Redis::confirm`] will be asked about the answer.
    pub fn to_be_confirmed(mut self) -> Self {
        self.noting = true;
        self
    }

    /// [`Call::run`], and then waits for the replicas that the operator asks for.
    ///
    /// # Errors
    /// As there; `not_replicated`.
    pub async fn run_confirmed(self, redis: &Redis) -> Result<Reply, ApiError> {
        let slot = self.slot;
        let reply = self.to_be_confirmed().run(redis).await?;
        redis.confirm(slot, &reply).await?;
        Ok(reply)
    }

    /// Runs the script; a refusal comes back as its error.
    ///
    /// # Errors
    /// The script's refusal; a 503 when Redis is in trouble; a fault when script and caller do not fit.
    pub async fn run(self, redis: &Redis) -> Result<Reply, ApiError> {
        let parsed = self.script.parsed()?;
        let (keys, args) = (self.keys(parsed)?, self.args(parsed)?);
        let began = Instant::now();
        let by_hash = command("EVALSHA", &parsed.sha, &keys, &args, &self.rest);
        let mut answer = self.send(redis, &by_hash).await;
        if matches!(answer, Err(Failure::NoScript)) {
            // The text goes to the same node and stays there; nothing ran yet.
            answer = self.send(redis, &command("EVAL", &parsed.text, &keys, &args, &self.rest)).await;
        }
        // Only a connection that broke at once leaves time for a second try: no request waits longer than one command may take.
        let in_time = began.elapsed() < redis.timeout() / 4;
        if self.may_send_again && in_time && matches!(answer, Err(Failure::Unknown(_))) {
            answer = self.send(redis, &command("EVAL", &parsed.text, &keys, &args, &self.rest)).await;
        }
        match answer {
            Ok((value, history)) => Ok(self.decode(parsed, redis, value)?.in_history(history)),
            Err(Failure::Fault(text)) => Err(ApiError::internal(parsed.locate(&text))),
            Err(failure) => Err(failure.into_api_error(self.client_may_repeat)),
        }
    }

    async fn send(&self, redis: &Redis, command: &Cmd) -> Result<(Value, Option<String>), Failure> {
        if self.noting { redis.send_noting(command).await } else { redis.send(command).await.map(|answer| (answer, None)) }
    }

    fn decode(&self, parsed: &Parsed, redis: &Redis, value: Value) -> Result<Reply, ApiError> {
        let reply = Reply::decode(self.script.name, value)?;
        redis.clock().observe(reply.now());
        if reply.status() != "refused" {
            return if parsed.oks.iter().any(|w| w == reply.status()) { Ok(reply) } else { Err(reply.unexpected()) };
        }
        let word = reply.text(0)?;
        let code = parsed.refusals.iter().copied().find(|c| c.spec().word == word);
        let mut error =
            ApiError::new(code.ok_or_else(|| ApiError::internal(format!("lua/{}.lua: undeclared refusal {word}", self.script.name)))?);
        // Details follow as name, value; a name that ends in # marks a number, in a comma a list joined by commas.
        for i in (1..reply.len()).step_by(2) {
            let name = reply.text(i)?;
            if let Some(list) = name.strip_suffix(',') {
                let words: Vec<String> = reply.text(i + 1)?.split(',').filter(|w| !w.is_empty()).map(str::to_owned).collect();
                error = error.with(list, words);
                continue;
            }
            error = match name.strip_suffix('#') {
                Some("retry_after_ms") => error.retry_after(reply.uint(i + 1)?.div_ceil(1000)),
                Some(number) => error.with(number, reply.int(i + 1)?),
                None => error.with(&name, reply.text(i + 1)?),
            };
        }
        Err(error)
    }

    /// The full names of the keys, one after the other in one text, with where each ends.
    fn keys(&self, parsed: &Parsed) -> Result<Keys, ApiError> {
        let wrong = |name: &str| ApiError::internal(format!("lua/{}.lua: key {name} cannot be named", self.script.name));
        if let Some((unknown, _)) = self.parameters.iter().find(|(n, _)| !parsed.keys.iter().any(|k| k.name == *n)) {
            return Err(wrong(unknown));
        }
        let sent = parsed.sent(self.idem_ms()).0;
        let mut keys = Keys { text: String::with_capacity(sent * 48), ends: Vec::with_capacity(sent) };
        for &key in &parsed.keys[..sent] {
            let parameter = self.parameters.iter().find(|(n, _)| *n == key.name).map(|(_, p)| p.as_ref());
            self.slot.write_key(key, parameter, &mut keys.text).ok_or_else(|| wrong(key.name))?;
            keys.ends.push(keys.text.len());
        }
        Ok(keys)
    }

    fn idem_ms(&self) -> Option<&[u8]> {
        self.args.iter().find(|(name, _)| *name == IDEM_MS).map(|(_, value)| value.as_ref())
    }

    fn args(&self, parsed: &Parsed) -> Result<Vec<&[u8]>, ApiError> {
        let wrong = |what: String| ApiError::internal(format!("lua/{}.lua: {what}", self.script.name));
        if self.args.len() != parsed.args.len() || (!parsed.rest && !self.rest.is_empty()) {
            return Err(wrong(format!("takes {:?}, was given {:?}", parsed.args, self.args.iter().map(|a| a.0).collect::<Vec<_>>())));
        }
        parsed.args[..parsed.sent(self.idem_ms()).1]
            .iter()
            .map(|name| {
                self.args
                    .iter()
                    .find(|(n, _)| n == name)
                    .map(|(_, v)| v.as_ref())
                    .ok_or_else(|| wrong(format!("argument {name} is missing")))
            })
            .collect()
    }
}

/// The names of a call's keys.
struct Keys {
    text: String,
    ends: Vec<usize>,
}

fn command(name: &str, script: &str, keys: &Keys, args: &[&[u8]], rest: &[Cow<'_, [u8]>]) -> Cmd {
    let given: usize = args.iter().map(|a| a.len()).chain(rest.iter().map(|r| r.len())).sum();
    let mut command = Cmd::with_capacity(3 + keys.ends.len() + args.len() + rest.len(), script.len() + keys.text.len() + given + 16);
    command.arg(name).arg(script).arg(keys.ends.len());
    let mut begin = 0;
    for &end in &keys.ends {
        command.arg(&keys.text[begin..end]);
        begin = end;
    }
    for arg in args {
        command.arg(*arg);
    }
    for arg in rest {
        command.arg(arg.as_ref());
    }
    command
}
