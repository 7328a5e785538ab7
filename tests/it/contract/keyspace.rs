//! docs/keyspace.md is what the program writes.

use std::process::Command;

#[test]
fn the_committed_page_of_keys_is_what_the_program_prints() {
    let printed = Command::new(env!("CARGO_BIN_EXE_backchannel")).args(["print", "keyspace"]).output().expect("the binary was built");
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let committed = include_str!("../../../docs/keyspace.md");
    assert!(String::from_utf8_lossy(&printed.stdout) == committed, "run: cargo run -- print keyspace > docs/keyspace.md");
}
