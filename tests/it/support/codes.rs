//! Which error codes this run of the tests has met, over all its processes: a file each, named like the code.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::Value;

/// `make test` removes it before the tests and looks into it after them (contract/codes.rs).
pub fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("codes-met")
}

/// Notes the code of an error in the form that those of the table have; anything else is none. Rooms refuse in a form and words of their own
/// (src/rooms/refused.rs).
pub fn note(body: &Value) {
    static NOTED: OnceLock<Mutex<BTreeSet<String>>> = OnceLock::new();
    if body.get("documentation_url").is_none() {
        return;
    }
    let Some(word) = body["error"].as_str().filter(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')) else { return };
    let mut noted = NOTED.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if noted.insert(word.to_owned()) {
        fs::create_dir_all(directory()).expect("target/tmp can be written to");
        fs::write(directory().join(word), "").expect("target/tmp can be written to");
    }
}
