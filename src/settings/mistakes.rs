//! What is wrong with the settings, in words for the person who starts the program.

use std::fmt;

use super::{PREFIX, Row, TABLE};

/// How much of a wrong value is repeated.
const SHOWN_CHARACTERS: usize = 80;

/// One thing that is wrong with the settings. Its `Display` is the line to print: it names the variable and its flag, the value
/// (never that of a secret) and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The variable, such as `BACKCHANNEL_PORT`.
    pub name: String,
    line: String,
}

impl Mistake {
    /// `text` is not a value that `row` allows; `why` adds what the rule alone does not tell.
    pub(super) fn value(row: &Row, text: &str, why: Option<String>) -> Self {
        let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
        Self::about(row, text, &format!("must be {}{why}", row.allowed()))
    }

    /// `text` is allowed by itself, but not beside the other settings.
    pub(super) fn together(row: &Row, text: &str, rule: &str) -> Self {
        Self::about(row, text, rule)
    }

    /// `name` is not in the table.
    pub(super) fn unknown(name: &str) -> Self {
        Self { name: name.to_owned(), line: unknown_line(name) }
    }

    fn about(row: &Row, text: &str, rule: &str) -> Self {
        let value = match row.shown(text) {
            Some(shown) => format!("is {:?}", shortened(&shown)),
            None => "has a value (not shown here)".to_owned(),
        };
        Self { name: row.name.to_owned(), line: format!("{} (--{}) {value}, but {rule}.", row.name, row.flag()) }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

/// The line for a variable that starts like ours and is not in the table.
pub(super) fn unknown_line(name: &str) -> String {
    match nearest(name) {
        Some(known) => format!("{name} is not a setting and has no effect; did you mean {known}?"),
        None => format!("{name} is not a setting and has no effect."),
    }
}

/// The known name that differs least, if it differs by less than half of what follows the prefix.
fn nearest(name: &str) -> Option<&'static str> {
    let tail = |name: &str| name.strip_prefix(PREFIX).unwrap_or(name).to_ascii_uppercase();
    let asked = tail(name);
    TABLE
        .iter()
        .map(|row| (strsim::damerau_levenshtein(&asked, &tail(row.name)), row.name))
        .min()
        .filter(|(distance, known)| distance * 2 < tail(known).len())
        .map(|(_, known)| known)
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
