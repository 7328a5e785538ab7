//! Every error code of the table can happen: something names it.

use std::fs;
use std::path::Path;

use backchannel::error::Code;
use backchannel::store::scripts::ALL;

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
