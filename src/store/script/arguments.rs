//! Arguments as Redis gets them: all but long texts in one, packed (MessagePack).
//!
//! Redis makes an object and a Lua string of each argument, about a thousand instructions, and hashes each of its bytes; a number that comes as text is
//! read by `strtod`. What is packed costs a tenth of that, but is hashed twice, so a long text goes alone.

use std::borrow::Cow;

use super::{BODY, IDEM_MS};

/// Bytes from which on a text whose header says `long` goes alone.
const LONG: usize = 128;

/// What the header says of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A short text.
    Text,
    /// A text of any length.
    Long,
    /// A whole number.
    Int,
}

impl Kind {
    pub fn of(word: &str) -> Option<Self> {
        Some(match word {
            "text" => Self::Text,
            "long" => Self::Long,
            "int" => Self::Int,
            _ => return None,
        })
    }
}

/// An argument as the caller gives it.
#[derive(Clone, Debug)]
pub enum Given<'a> {
    Number(u64),
    Text(Cow<'a, [u8]>),
}

/// The named arguments of a script, in their order.
#[derive(Debug)]
pub struct Arguments {
    names: Vec<String>,
    kinds: Vec<Kind>,
    /// Whether more follow, which are found by their place.
    followed: bool,
}

/// The arguments of one call, in the order in which they are sent.
pub struct Sent<'a> {
    pub packed: Vec<u8>,
    pub long: Vec<&'a [u8]>,
}

impl Sent<'_> {
    /// Nothing, where a script takes no arguments.
    pub fn in_order(&self) -> Vec<&[u8]> {
        let packed = Some(self.packed.as_slice()).filter(|p| !p.is_empty());
        packed.into_iter().chain(self.long.iter().copied()).collect()
    }
}

impl Arguments {
    pub fn new(named: Vec<(String, Kind)>, followed: bool) -> Self {
        let (names, kinds) = named.into_iter().unzip();
        Self { names, kinds, followed }
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Makes locals of them, at the head of a script.
    pub fn prelude(&self) -> String {
        let mut line = String::new();
        if !self.names.is_empty() {
            line += &format!("local {} = cmsgpack.unpack(ARGV[1]) ", self.names.join(", "));
        }
        for (i, name) in self.long().enumerate() {
            line += &format!("{name} = {name} or ARGV[{}] ", i + 2);
        }
        if self.names.iter().any(|n| n == IDEM_MS) {
            line += &format!("{IDEM_MS} = {IDEM_MS} or 0 ");
        }
        if self.followed {
            line += &format!("local rest = {{unpack(ARGV, {})}} ", usize::from(!self.names.is_empty()) + self.long().count() + 1);
        }
        line
    }

    fn long(&self) -> impl Iterator<Item = &str> {
        self.names.iter().zip(&self.kinds).filter(|(_, k)| **k == Kind::Long).map(|(n, _)| n.as_str())
    }

    /// Packs a call's arguments; the last two are left out of one without idempotency.
    ///
    /// # Errors
    /// The name of one that is missing, or that should be a number and is none.
    pub fn send<'a>(&self, given: impl Fn(&str) -> Option<&'a Given<'a>>, is_once: bool) -> Result<Sent<'a>, &str> {
        let mut sent = Sent { packed: Vec::with_capacity(256), long: Vec::new() };
        let mut last_long = 0;
        for (name, kind) in self.names.iter().zip(&self.kinds) {
            if !is_once && (name == IDEM_MS || name == BODY) {
                continue;
            }
            match (kind, given(name).ok_or(name.as_str())?) {
                (Kind::Int, Given::Number(n)) => pack_number(*n, &mut sent.packed),
                (Kind::Int, Given::Text(text)) => {
                    let number = std::str::from_utf8(text).ok().and_then(|t| t.parse().ok()).ok_or(name.as_str())?;
                    pack_number(number, &mut sent.packed);
                }
                (Kind::Long, Given::Text(text)) if text.len() > LONG => {
                    sent.packed.push(0xc0); // nil
                    sent.long.push(text);
                    last_long = sent.long.len();
                }
                (kind, Given::Text(text)) => {
                    pack_text(text, &mut sent.packed);
                    if *kind == Kind::Long {
                        sent.long.push(b"");
                    }
                }
                (_, Given::Number(n)) => pack_text(n.to_string().as_bytes(), &mut sent.packed),
            }
        }
        if !self.followed {
            sent.long.truncate(last_long);
        }
        Ok(sent)
    }
}

fn pack_number(n: u64, packed: &mut Vec<u8>) {
    match n {
        0..0x80 => packed.push(n as u8),
        0x80..0x1_0000 => {
            packed.push(0xcd);
            packed.extend_from_slice(&(n as u16).to_be_bytes());
        }
        0x1_0000..0x1_0000_0000 => {
            packed.push(0xce);
            packed.extend_from_slice(&(n as u32).to_be_bytes());
        }
        _ => {
            packed.push(0xcf);
            packed.extend_from_slice(&n.to_be_bytes());
        }
    }
}

fn pack_text(text: &[u8], packed: &mut Vec<u8>) {
    match text.len() {
        n @ 0..0x20 => packed.push(0xa0 | n as u8),
        n @ 0x20..0x100 => packed.extend_from_slice(&[0xd9, n as u8]),
        n @ 0x100..0x1_0000 => {
            packed.push(0xda);
            packed.extend_from_slice(&(n as u16).to_be_bytes());
        }
        n => {
            packed.push(0xdb);
            packed.extend_from_slice(&(n as u32).to_be_bytes());
        }
    }
    packed.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(followed: bool) -> Arguments {
        let named = [
            ("who", Kind::Text),
            ("content", Kind::Long),
            ("metadata", Kind::Long),
            ("n", Kind::Int),
            (IDEM_MS, Kind::Int),
            (BODY, Kind::Text),
        ];
        Arguments::new(named.map(|(name, kind)| (name.to_owned(), kind)).to_vec(), followed)
    }

    fn text(text: &str) -> Given<'static> {
        Given::Text(Cow::Owned(text.as_bytes().to_vec()))
    }

    #[test]
    fn a_call_is_one_argument_and_its_long_texts() {
        let (short, long) = (text("hi"), text(&"x".repeat(129)));
        let (number, body, zero) = (Given::Number(1_795_363_677_564_688), text("b"), Given::Number(0));
        let send = |content, metadata, followed, is_once| {
            let given = |name: &str| match name {
                "content" => Some(content),
                "metadata" => Some(metadata),
                "n" => Some(&number),
                IDEM_MS => Some(&zero),
                BODY => Some(&body),
                _ => Some(&short),
            };
            let arguments = arguments(followed);
            let sent = arguments.send(given, is_once).map_err(str::to_owned).expect("all are given");
            (sent.packed.escape_ascii().to_string(), sent.long.iter().map(|l| l.len()).collect::<Vec<_>>())
        };
        let n = r"\xcf\x00\x06`\xdf\xae>o\x10";
        assert_eq!(send(&short, &short, false, false), (format!(r"\xa2hi\xa2hi\xa2hi{n}"), vec![]));
        assert_eq!(send(&short, &short, true, false).1, [0, 0], "what follows has its place");
        assert_eq!(send(&long, &short, false, false), (format!(r"\xa2hi\xc0\xa2hi{n}"), vec![129]));
        assert_eq!(send(&short, &long, false, false), (format!(r"\xa2hi\xa2hi\xc0{n}"), vec![0, 129]));
        assert_eq!(send(&short, &long, false, true), (format!(r"\xa2hi\xa2hi\xc0{n}\x00\xa1b"), vec![0, 129]));
    }

    #[test]
    fn what_is_missing_or_no_number_is_named() {
        let given = text("hi");
        let none = arguments(false);
        assert_eq!(none.send(|name| (name != "who").then_some(&given), true).err(), Some("who"));
        assert_eq!(none.send(|_| Some(&given), true).err(), Some("n"));
    }
}
