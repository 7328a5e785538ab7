//! Every error code of the table can happen: something names it, and some test made it happen.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use backchannel::error::Code;
use backchannel::store::scripts::ALL;

use crate::support::codes::directory;

/// A fault of ours: met only where scripts are broken on purpose (history/mutations.rs), and not by each of those runs.
const BY_FAULTS: &str = "internal_error";

/// Codes that no test makes happen, and why.
const NOT_MET: &[(&str, &str)] = &[("overloaded", "20,000 commands of one replica have to wait for Redis")];

/// All files with this ending below a directory, as one text.
fn sources(directory: &Path, ending: &str, text: &mut String) {
    for entry in fs::read_dir(directory).expect("a directory").map(|e| e.expect("an entry").path()) {
        if entry.is_dir() {
            sources(&entry, ending, text);
        } else if entry.extension().is_some_and(|e| e == ending) && !entry.ends_with("error/codes.rs") {
            *text += &fs::read_to_string(&entry).expect("a text");
        }
    }
}

#[test]
fn every_code_is_named_where_something_is_refused() {
    let mut text = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "rs", &mut text);
    let words: Vec<String> = text.split("Code::").skip(1).map(|t| t.chars().take_while(char::is_ascii_alphanumeric).collect()).collect();
    let of_scripts: Vec<Code> = ALL.iter().flat_map(|s| s.parsed().expect("a header").refusals().to_vec()).collect();
    let unused: Vec<_> = Code::ALL.iter().filter(|c| !of_scripts.contains(c) && !words.contains(&format!("{c:?}"))).collect();
    assert!(unused.is_empty(), "nothing answers with {unused:?}");
}

/// `make test` runs it after all other tests, which have noted what they met ([`directory`]).
#[test]
#[ignore = "it looks at what the whole run has met"]
fn every_code_was_met_by_some_test() {
    let met: BTreeSet<String> =
        fs::read_dir(directory()).into_iter().flatten().map(|e| e.expect("an entry").file_name().into_string().expect("a word")).collect();
    let missing: Vec<&str> = Code::ALL
        .iter()
        .map(|c| c.spec().word)
        .filter(|w| !met.contains(*w) && *w != BY_FAULTS && !NOT_MET.iter().any(|n| n.0 == *w))
        .collect();
    assert!(missing.is_empty(), "no test was answered with {missing:?}");
    let excused: Vec<_> = NOT_MET.iter().filter(|(word, _)| met.contains(*word)).collect();
    assert!(excused.is_empty(), "these were met, so they need no excuse: {excused:?}");
    let unknown: Vec<_> = met.iter().filter(|word| Code::from_word(word).is_none()).collect();
    assert!(unknown.is_empty(), "not in the table: {unknown:?}");
}
