//! What a setting's value may be: each kind reads one text and says in words what it allows. No kind knows a setting's name.

mod network;
mod numbers;

use std::fmt;
use std::path::PathBuf;

use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use tracing_subscriber::EnvFilter;

pub use network::{Address, BaseUrl, Hosts, Networks, Port, RedisUrl};
pub use numbers::{Millis, Seconds, SecondsList, Switch, Whole};

/// The part of a kind that the table, the help and `docs/configuration.md` need.
pub trait Described: Sync {
    /// What is allowed, to be read after "must be".
    fn allowed(&self) -> String;

    /// The value as it may be repeated to the operator; `None` when it may not be shown at all.
    fn shown(&self, text: &str) -> Option<String> {
        Some(text.to_owned())
    }
}

/// A kind together with the type it reads into.
pub trait Kind: Described {
    type Value;

    /// Reads a trimmed text. The empty text only comes here as a default.
    ///
    /// # Errors
    /// A reason in words when the rule alone (`allowed`) does not tell enough, otherwise an empty one.
    fn parse(&self, text: &str) -> Result<Self::Value, Reason>;
}

/// Why a value was refused, beyond the rule of its kind; often empty.
#[derive(Debug, Default)]
pub struct Reason(pub Option<String>);

impl<T: fmt::Display> From<T> for Reason {
    fn from(why: T) -> Self {
        Self(Some(why.to_string()))
    }
}

/// A refusal that the rule explains by itself.
fn by_rule<T>() -> Result<T, Reason> {
    Err(Reason(None))
}

/// The non-empty parts of a comma-separated list.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// What a word may hold.
pub fn is_word_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// What a prefix of keys may hold. Braces would be read as a hash tag and send every key to one slot.
pub fn is_key_character(c: char) -> bool {
    is_word_character(c) || c == ':'
}

/// Text that is never printed: `Debug` shows three stars and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for comparing (in constant time) and for connecting; never for a log line.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Json,
    Text,
}

/// Another kind, or nothing.
pub struct Optional<K>(pub K);

impl<K: Described> Described for Optional<K> {
    fn allowed(&self) -> String {
        self.0.allowed()
    }

    fn shown(&self, text: &str) -> Option<String> {
        self.0.shown(text)
    }
}

impl<K: Kind> Kind for Optional<K> {
    type Value = Option<K::Value>;

    fn parse(&self, text: &str) -> Result<Self::Value, Reason> {
        if text.is_empty() { Ok(None) } else { self.0.parse(text).map(Some) }
    }
}

/// 1 to `max` characters of one set.
pub struct Text {
    pub max: usize,
    /// The set in words.
    pub of: &'static str,
    pub ok: fn(char) -> bool,
}

impl Described for Text {
    fn allowed(&self) -> String {
        format!("1 to {} characters: {}", self.max, self.of)
    }
}

impl Kind for Text {
    type Value = String;

    fn parse(&self, text: &str) -> Result<String, Reason> {
        let length = text.chars().count();
        if (1..=self.max).contains(&length) && text.chars().all(self.ok) { Ok(text.to_owned()) } else { by_rule() }
    }
}

/// A secret that travels in a header.
pub struct HeaderSecret;

impl Described for HeaderSecret {
    fn allowed(&self) -> String {
        "1 to 256 printable ASCII characters without blanks".to_owned()
    }

    fn shown(&self, _: &str) -> Option<String> {
        None
    }
}

impl Kind for HeaderSecret {
    type Value = Secret;

    fn parse(&self, text: &str) -> Result<Secret, Reason> {
        if (1..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) { Ok(Secret(text.to_owned())) } else { by_rule() }
    }
}

/// `json` or `text`.
pub struct LogFormats;

impl Described for LogFormats {
    fn allowed(&self) -> String {
        "json or text".to_owned()
    }
}

impl Kind for LogFormats {
    type Value = LogFormat;

    fn parse(&self, text: &str) -> Result<LogFormat, Reason> {
        match text.to_ascii_lowercase().as_str() {
            "json" => Ok(LogFormat::Json),
            "text" => Ok(LogFormat::Text),
            _ => by_rule(),
        }
    }
}

/// What a write must reach before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    Primary,
    Replicated,
}

pub struct Durabilities;

impl Described for Durabilities {
    fn allowed(&self) -> String {
        "primary or replicated".to_owned()
    }
}

impl Kind for Durabilities {
    type Value = Durability;

    fn parse(&self, text: &str) -> Result<Durability, Reason> {
        match text.to_ascii_lowercase().as_str() {
            "primary" => Ok(Durability::Primary),
            "replicated" => Ok(Durability::Replicated),
            _ => by_rule(),
        }
    }
}

/// Directives of tracing's `EnvFilter`.
pub struct LogFilter;

impl Described for LogFilter {
    fn allowed(&self) -> String {
        "error, warn, info, debug, trace or off, or filters such as info,backchannel=debug".to_owned()
    }
}

impl Kind for LogFilter {
    type Value = String;

    fn parse(&self, text: &str) -> Result<String, Reason> {
        // EnvFilter takes a word it does not know for the name of a module, and would then log nothing.
        let bare = |part: &&str| !part.contains(['=', '[']);
        if let Some(word) = parts(text).filter(bare).find(|word| word.parse::<tracing::level_filters::LevelFilter>().is_err()) {
            return Err(Reason::from(format!("{word:?} is not a level")));
        }
        EnvFilter::builder().parse(text)?;
        Ok(text.to_owned())
    }
}

/// A folder; it is made when it is needed.
pub struct Folder;

impl Described for Folder {
    fn allowed(&self) -> String {
        "a folder that can be written".to_owned()
    }
}

impl Kind for Folder {
    type Value = PathBuf;

    fn parse(&self, text: &str) -> Result<PathBuf, Reason> {
        Ok(PathBuf::from(text))
    }
}

/// A file with a password in it. It is read with the settings; where it ends with a line break, that does not count.
pub struct SecretFile;

impl Described for SecretFile {
    fn allowed(&self) -> String {
        "a file that can be read and holds one line".to_owned()
    }
}

impl Kind for SecretFile {
    type Value = Secret;

    fn parse(&self, text: &str) -> Result<Secret, Reason> {
        let content = std::fs::read_to_string(text)?;
        let line = content.strip_suffix('\n').map_or(content.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
        if line.is_empty() || line.contains(['\n', '\r']) { by_rule() } else { Ok(Secret(line.to_owned())) }
    }
}

/// A file with certificates of authorities. It is read with the settings.
pub struct Authorities;

impl Described for Authorities {
    fn allowed(&self) -> String {
        "a file of certificates in PEM".to_owned()
    }
}

impl Kind for Authorities {
    type Value = Vec<u8>;

    fn parse(&self, text: &str) -> Result<Vec<u8>, Reason> {
        let pem = std::fs::read(text)?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            roots.add(certificate?)?;
        }
        if roots.is_empty() { Err(Reason::from("it holds no certificate")) } else { Ok(pem) }
    }
}

/// A program: a name to look up in `PATH`, or a path.
pub struct Program;

impl Described for Program {
    fn allowed(&self) -> String {
        "a program's name or path".to_owned()
    }
}

impl Kind for Program {
    type Value = PathBuf;

    fn parse(&self, text: &str) -> Result<PathBuf, Reason> {
        Ok(PathBuf::from(text))
    }
}
