//! What a process has used, from `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

/// A process whose cost is measured.
#[derive(Clone, Debug)]
pub struct Watched {
    pub name: String,
    pub pid: u32,
}

/// What a process has used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// In user and kernel mode, all threads, ended ones included. Exact to a clock tick, mostly 10 ms.
    pub cpu: Duration,
    /// Resident memory in bytes.
    pub resident: u64,
}

impl Watched {
    pub fn new(name: &str, pid: u32) -> Self {
        Self { name: name.to_owned(), pid }
    }

    /// # Errors
    /// When there is no such process, or no `/proc`.
    pub fn usage(&self) -> Result<Usage> {
        let read = |file: &str| {
            let path = format!("/proc/{}/{file}", self.pid);
            fs::read_to_string(&path).with_context(|| format!("{}: {path} cannot be read", self.name))
        };
        let ticks = cpu_ticks(&read("stat")?).ok_or_else(|| anyhow!("/proc/{}/stat has an unknown form", self.pid))?;
        let resident = resident_bytes(&read("status")?).ok_or_else(|| anyhow!("/proc/{}/status has no VmRSS", self.pid))?;
        Ok(Usage { cpu: Duration::from_secs_f64(ticks as f64 / ticks_per_second() as f64), resident })
    }
}

/// utime + stime. The name of the program may hold blanks and parentheses: fields are counted behind the last one.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace().skip(11);
    let (user, kernel): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + kernel)
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kb| kb * 1024)
}

#[allow(unsafe_code, reason = "std does not know the clock ticks")]
fn ticks_per_second() -> u64 {
    // SAFETY: sysconf(3) only answers.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    u64::try_from(ticks).ok().filter(|t| *t > 0).unwrap_or(100)
}

/// Lifts the limit of open files as far as the system allows; returns what it is then.
#[allow(unsafe_code, reason = "std does not know limits")]
pub fn open_files() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls touch nothing but `limit`.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) != 0 {
            return 1024;
        }
        let lifted = libc::rlimit { rlim_cur: limit.rlim_max, rlim_max: limit.rlim_max };
        if libc::setrlimit(libc::RLIMIT_NOFILE, &raw const lifted) == 0 { lifted.rlim_cur } else { limit.rlim_cur }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_moves_no_field() {
        let stat = "42 (a ) (b) R 1 42 42 0 -1 4194560 100 0 0 0 70 30 0 0 20 0 3 0 12345 1 2 3";
        assert_eq!(cpu_ticks(stat), Some(100));
        assert_eq!(cpu_ticks("42 (cut off"), None);
        assert_eq!(cpu_ticks("42 (short) R 1 2"), None);
    }

    #[test]
    fn resident_memory_is_in_kilobytes() {
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t1\n"), Some(2 * 1024 * 1024));
        assert_eq!(resident_bytes("Name:\tkthreadd\n"), None);
    }

    #[test]
    fn this_process_has_used_something() {
        let usage = Watched::new("self", std::process::id()).usage().expect("this is Linux");
        assert!(usage.resident > 100_000, "{usage:?}");
        assert!(Watched::new("nobody", u32::MAX).usage().is_err());
    }
}
