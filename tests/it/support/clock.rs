//! Another wall clock for one process. Clocks of two machines differ; here there is one machine. And the time of day.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::process::scratch;

/// For tests of what is counted by day (UTC): in the last minute of a day, waits for the next one, so that none ends in the middle of it.
pub async fn not_at_midnight() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    let left = 86_400 - now.as_secs() % 86_400;
    if left <= 60 {
        tokio::time::sleep(Duration::from_secs(left)).await;
    }
}

/// Gives `command` a clock that is off by that many seconds. For programs that take the time from libc, as redis-server
/// does. Linux only. Needs the C compiler that the build needs, too.
pub fn offset(command: &mut Command, seconds: i64) {
    static LIBRARY: OnceLock<std::path::PathBuf> = OnceLock::new();
    let library = LIBRARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/clock_offset.c");
        let library = scratch().join("clock_offset.so");
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-D_GNU_SOURCE", "-o"]).arg(&library).arg(source);
        let output = cc.output().unwrap_or_else(|error| panic!("no C compiler ({error}): run `make setup-build`"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        library
    });
    command.env("LD_PRELOAD", library).env("TEST_CLOCK_OFFSET_S", seconds.to_string());
}
