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

/// What the main thread of a process has done so far, by the kernel's account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    /// On a core; where the host tells the kernel what it took from it, without that. None while it runs: then the account is up to a tick old.
    pub ran: Option<Duration>,
    /// Ready to run, while something else had the core.
    pub waited: Duration,
    /// Pages that were not there when they were touched; those among them that had to be read from a disk.
    pub faults: u64,
    pub from_disk: u64,
}

impl Turns {
    /// How long it ran is known if it slept both times.
    pub fn since(self, before: Self) -> Self {
        Self {
            ran: self.ran.zip(before.ran).map(|(now, then)| now.saturating_sub(then)),
            waited: self.waited.saturating_sub(before.waited),
            faults: self.faults.saturating_sub(before.faults),
            from_disk: self.from_disk.saturating_sub(before.from_disk),
        }
    }
}

impl Watched {
    pub fn new(name: &str, pid: u32) -> Self {
        Self { name: name.to_owned(), pid }
    }

    /// # Errors
    /// When there is no such process, or no `/proc`.
    pub fn usage(&self) -> Result<Usage> {
        let ticks = cpu_ticks(&self.read("stat")?).ok_or_else(|| anyhow!("/proc/{}/stat has an unknown form", self.pid))?;
        let resident = resident_bytes(&self.read("status")?).ok_or_else(|| anyhow!("/proc/{}/status has no VmRSS", self.pid))?;
        Ok(Usage { cpu: Duration::from_secs_f64(ticks as f64 / ticks_per_second() as f64), resident })
    }

    /// # Errors
    /// When there is no such process, or its kernel keeps no such account.
    pub fn turns(&self) -> Result<Turns> {
        let task = format!("task/{}", self.pid);
        // Its state first: a thread that sleeps has its account up to date.
        let (stat, schedstat) = (self.read(&format!("{task}/stat"))?, self.read(&format!("{task}/schedstat"))?);
        turns(&stat, &schedstat).ok_or_else(|| anyhow!("/proc/{}/{task} has an unknown form", self.pid))
    }

    fn read(&self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.pid);
        fs::read_to_string(&path).with_context(|| format!("{}: {path} cannot be read", self.name))
    }
}

/// The fields of a `stat` from the state on. The name of the program may hold blanks and parentheses: fields are counted behind the last one.
fn behind_the_name(stat: &str) -> Option<std::str::SplitAsciiWhitespace<'_>> {
    Some(stat[stat.rfind(')')? + 1..].split_ascii_whitespace())
}

/// utime + stime.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = behind_the_name(stat)?.skip(11);
    let (user, kernel): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + kernel)
}

/// Of `stat` the state, minflt and majflt. `schedstat` is nanoseconds on a core, nanoseconds in line for one, and turns.
fn turns(stat: &str, schedstat: &str) -> Option<Turns> {
    let mut fields = behind_the_name(stat)?;
    let sleeps = fields.next()? == "S";
    let mut faults = fields.skip(6).step_by(2).map(|n| n.parse::<u64>().ok());
    let mut times = schedstat.split_ascii_whitespace().map(|ns| ns.parse().ok().map(Duration::from_nanos));
    let (ran, waited) = (times.next()??, times.next()??);
    let (in_memory, from_disk) = (faults.next()??, faults.next()??);
    Some(Turns { ran: sleeps.then_some(ran), waited, faults: in_memory + from_disk, from_disk })
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
        let stat = "42 (a ) (b) R 1 42 42 0 -1 4194560 100 0 7 0 70 30 0 0 20 0 3 0 12345 1 2 3";
        assert_eq!(cpu_ticks(stat), Some(100));
        assert_eq!(cpu_ticks("42 (cut off"), None);
        assert_eq!(cpu_ticks("42 (short) R 1 2"), None);
        let runs = turns(stat, "5000000 3000 17\n").expect("has all fields");
        assert_eq!(runs, Turns { ran: None, waited: Duration::from_micros(3), faults: 107, from_disk: 7 });
        assert_eq!(turns(stat, "5000000\n"), None);
    }

    #[test]
    fn how_long_a_thread_ran_is_known_while_it_sleeps() {
        let at =
            |state, ns| turns(&format!("42 (a) {state} 1 42 42 0 -1 4194560 100 0 7 0"), &format!("{ns} 0 1")).expect("has all fields");
        assert_eq!(at("S", 5000).since(at("S", 2000)).ran, Some(Duration::from_micros(3)));
        assert_eq!(at("R", 5000).since(at("S", 2000)).ran, None);
        assert_eq!(at("S", 5000).since(at("R", 2000)).ran, None);
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
        let turns = Watched::new("self", std::process::id()).turns().expect("and keeps an account");
        assert!(turns.faults > 0, "{turns:?}");
        assert!(Watched::new("nobody", u32::MAX).usage().is_err());
    }
}
