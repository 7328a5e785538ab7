//! Lua scripts: their headers read, their text expanded, called by names.
//!
//! The header of a script is its contract : `@key` and `@arg` lines become locals, `@ok` and `@no` lines are
//! what it may answer. A header that names a key or code the program does not know, or an answer outside the header, is a fault.

mod arguments;
mod call;

use std::borrow::Cow;
use std::sync::OnceLock;

use prometheus::Histogram;

use super::keyspace::{KeyDef, Slot, table};
use super::measure;
use super::scripts::LIB;
use crate::error::{ApiError, Code};

pub use arguments::{Arguments, Given, Kind, Sent};
pub use call::Call;

/// The line that reads the clock: Redis' own, once, as number and as text. Script tests put a time of theirs in its place.
pub const CLOCK: &str = "local now, now_text; do local t = redis.call('TIME'); local us = t[2]; \
                         if #us < 6 then us = string.rep('0', 6 - #us) .. us end; now_text = t[1] .. us; now = now_text + 0 end";

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
    args: Arguments,
    /// Whether further arguments follow the named ones (the local `rest`).
    rest: bool,
    /// Whether it takes what an idempotent write takes.
    is_once: bool,
    oks: Vec<String>,
    refusals: Vec<Code>,
    text: String,
    sha: String,
    /// For each line of `text`: the file and line it came from.
    lines: Vec<(String, usize)>,
    /// How long its calls take.
    duration: Histogram,
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
        Call::new(self, slot)
    }
}

impl Parsed {
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn keys(&self) -> impl Iterator<Item = &'static KeyDef> {
        self.keys.iter().copied()
    }

    pub fn args(&self) -> &Arguments {
        &self.args
    }

    /// The keys that are sent: not the last one, that of the first answer, where none is kept.
    pub fn keys_sent(&self, is_kept: bool) -> &[&'static KeyDef] {
        &self.keys[..self.keys.len() - usize::from(self.is_once && !is_kept)]
    }

    pub fn oks(&self) -> &[String] {
        &self.oks
    }

    pub fn refusals(&self) -> &[Code] {
        &self.refusals
    }

    pub fn duration(&self) -> &Histogram {
        &self.duration
    }

    fn read(name: &str, source: &str) -> Result<Self, String> {
        let (header, _) = source.strip_prefix("--[[").and_then(|s| s.split_once("]]")).ok_or("no header")?;
        let mut slot = None;
        let (mut keys, mut args, mut oks, mut refusals) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut flags, mut rest) = ("", false);
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
                    let kind = words.next().and_then(Kind::of).ok_or(format!("@arg {word} is text, long or int"))?;
                    args.push((word.to_owned(), kind));
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
        let args = Arguments::new(args, rest);
        let locals = locals(&keys) + &args.prelude();
        let shebang = if flags.is_empty() { "#!lua".to_owned() } else { format!("#!lua flags={flags}") };
        let mut text = format!("{shebang}\n{locals}\n{CLOCK}\n");
        let mut lines = vec![(format!("{name} (prelude)"), 0); 3];
        let mut included = Vec::new();
        expand(name, source, &mut text, &mut lines, &mut included)?;
        let sha = deadpool_redis::redis::Script::new(&text).get_hash().to_owned();
        let duration = measure::duration_of(name).map_err(|e| e.to_string())?;
        Ok(Self { keys, args, rest, is_once, oks, refusals, text, sha, lines, duration })
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
fn ends_with_once(keys: &[&KeyDef], args: &[(String, Kind)]) -> Result<bool, String> {
    let key = keys.iter().position(|k| k.name == IDEM);
    let arg = args.iter().position(|a| a.0 == IDEM_MS);
    match (key, arg) {
        (None, None) => Ok(false),
        (Some(k), Some(a)) if k + 1 == keys.len() && a + 2 == args.len() && args[a + 1].0 == BODY => Ok(true),
        _ => Err(format!("@key {IDEM} comes after the other keys, @arg {IDEM_MS} and {BODY} after the other arguments")),
    }
}

/// The keys that the header names, as locals.
fn locals(keys: &[&KeyDef]) -> String {
    if keys.is_empty() {
        return String::new();
    }
    format!("local {} = unpack(KEYS) ", keys.iter().map(|k| k.name).collect::<Vec<_>>().join(", "))
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
