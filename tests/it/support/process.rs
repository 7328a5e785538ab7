//! Child processes that cannot outlive the test process, their ports, their signals, their directories.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, Once, OnceLock, mpsc};
use std::time::{Duration, Instant};

/// A thousand waiters are a thousand connections of this process too; the usual soft limit is 1024 open files.
fn allow_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let limit = getrlimit(Resource::Nofile);
        let wanted = limit.maximum.map_or(16_384, |maximum| maximum.min(16_384));
        if limit.current.is_some_and(|current| current < wanted) {
            setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit }).expect("the soft limit may be raised to the hard one");
        }
    });
}

/// A running child; killed when dropped, and by the kernel when the test process ends in whatever way.
pub struct Process {
    child: Child,
    frozen: bool,
}

impl Process {
    /// Starts `command` with nothing on stdin, and stdout and stderr appended to `log`.
    pub fn start(mut command: Command, log: &Path) -> io::Result<Self> {
        allow_open_files();
        let out = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        Ok(Self { child: spawn(command)?, frozen: false })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The status it left with, if it has left.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("our own child can be waited for")
    }

    /// SIGKILL, and waits until it is gone (and its port free).
    pub fn kill9(&mut self) {
        let _ = self.child.kill(); // fails only when it has been reaped already
        let _ = self.child.wait();
    }

    /// SIGTERM; [`Process::ended`] tells when it has gone.
    pub fn terminate(&mut self) {
        self.signal(libc::SIGTERM);
    }

    /// SIGSTOP: it holds its connections and says nothing. Returns when all its threads have stopped: the signal alone
    /// leaves it time for another answer.
    pub fn freeze(&mut self) {
        self.signal(libc::SIGSTOP);
        let began = Instant::now();
        while !self.has_stopped() {
            assert!(began.elapsed() < Duration::from_secs(30), "process {} does not stop", self.id());
            std::thread::sleep(Duration::from_millis(1));
        }
        self.frozen = true;
    }

    /// The kernel reports a stop once, when the last thread has stopped.
    #[allow(unsafe_code, reason = "std only waits for the end of a child")]
    fn has_stopped(&self) -> bool {
        // SAFETY: an all-zero siginfo_t is valid, and waitid writes to nothing else. Without WEXITED it reaps nothing.
        unsafe {
            let mut report: libc::siginfo_t = std::mem::zeroed();
            let result = libc::waitid(libc::P_PID, self.id(), &raw mut report, libc::WSTOPPED | libc::WNOHANG);
            assert_eq!(result, 0, "{}", io::Error::last_os_error());
            report.si_pid() != 0
        }
    }

    /// SIGCONT.
    pub fn thaw(&mut self) {
        self.signal(libc::SIGCONT);
        self.frozen = false;
    }

    pub fn is_frozen(&self) -> bool {
        self.frozen
    }

    #[allow(unsafe_code, reason = "std sends no signal but SIGKILL")]
    fn signal(&mut self, signal: i32) {
        assert!(self.ended().is_none(), "process {} has ended, it takes no signal", self.id());
        let pid = i32::try_from(self.id()).expect("a process id fits into pid_t");
        // SAFETY: kill(2) touches no memory; the child is not reaped yet, so the id is still its own.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0, "{}", io::Error::last_os_error());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// Spawns on a thread that lives as long as this process: PR_SET_PDEATHSIG fires when the *thread* that spawned
/// ends, and a test's own thread ends with its test.
fn spawn(command: Command) -> io::Result<Child> {
    type Order = (Command, mpsc::Sender<io::Result<Child>>);
    static SPAWNER: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();

    let spawner = SPAWNER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        let run = move || {
            for (mut command, answer) in inbox {
                let _ = answer.send(tied_to_this_thread(&mut command).spawn());
            }
        };
        std::thread::Builder::new().name("spawner".into()).spawn(run).expect("a thread can be started");
        Mutex::new(orders)
    });
    let (answer, child) = mpsc::channel();
    spawner.lock().expect("sending does not panic").send((command, answer)).expect("the spawner never ends");
    child.recv().expect("the spawner answers each order")
}

#[allow(unsafe_code, reason = "pre_exec is the only place where PR_SET_PDEATHSIG can be set")]
fn tied_to_this_thread(command: &mut Command) -> &mut Command {
    let parent = std::process::id();
    let before_exec = move || {
        #[cfg(target_os = "linux")]
        {
            // SAFETY: both calls are async-signal-safe and touch no memory of ours.
            let orphaned = unsafe {
                if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                    return Err(io::Error::last_os_error());
                }
                libc::getppid()
            };
            // The parent may have died before the line above: then no signal will come.
            if u32::try_from(orphaned) != Ok(parent) {
                return Err(io::Error::from(io::ErrorKind::BrokenPipe));
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = parent;
        Ok(())
    };
    // SAFETY: between fork and exec the closure calls async-signal-safe functions only and allocates nothing.
    unsafe { command.pre_exec(before_exec) }
}

/// Does a process of this id exist?
#[allow(unsafe_code, reason = "std cannot ask")]
fn exists(pid: i32) -> bool {
    // SAFETY: signal 0 only asks.
    unsafe { libc::kill(pid, 0) == 0 || io::Error::last_os_error().raw_os_error() == Some(libc::EPERM) }
}

/// A loopback port that nobody listens on.
///
/// Below the range that outgoing connections take their ports from (32768 and up): a replica that is killed and
/// restarted on its port must not find a test's own connection on it. No port is given out twice by one process;
/// another process may still take it first, so a starter looks at "address in use" and asks again.
pub fn free_port() -> u16 {
    const FIRST: u32 = 12_000;
    const LAST: u32 = 32_000;
    static NEXT: OnceLock<AtomicU32> = OnceLock::new();

    // Test processes that run side by side begin at different places.
    let next = NEXT.get_or_init(|| AtomicU32::new(std::process::id().wrapping_mul(7919)));
    for _ in FIRST..LAST {
        let step = next.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(FIRST + step % (LAST - FIRST)).expect("below 32000");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free loopback port between {FIRST} and {LAST}");
}

/// The log of a process that could not have its port says so in one of these ways.
pub fn says_port_taken(log: &str) -> bool {
    let log = log.to_ascii_lowercase();
    log.contains("address already in use") || log.contains("addrinuse")
}

/// The directory of this test process, under `target/tmp`. What earlier processes left is removed at first use:
/// nothing is removed at the end, so that logs of a failed test can be read.
pub fn scratch() -> &'static Path {
    static SCRATCH: OnceLock<PathBuf> = OnceLock::new();
    SCRATCH.get_or_init(|| {
        let all = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let ours = format!("it-{}", std::process::id());
        for entry in fs::read_dir(all).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let pid = name.to_str().and_then(|name| name.strip_prefix("it-")).and_then(|pid| pid.parse().ok());
            if name == OsStr::new(&ours) || pid.is_some_and(|pid| !exists(pid)) {
                let _ = fs::remove_dir_all(entry.path()); // another test process may be at it too
            }
        }
        let ours = all.join(ours);
        fs::create_dir_all(&ours).expect("target/tmp can be written to");
        ours
    })
}

/// A number that no other call in this process got.
pub fn serial() -> u32 {
    static SERIAL: AtomicU32 = AtomicU32::new(0);
    SERIAL.fetch_add(1, Ordering::Relaxed)
}

/// A word that no other test has used, in this process or another: for prefixes, labels, names.
pub fn unique() -> String {
    format!("{:x}{:x}{:04x}", std::process::id(), serial(), rand::random::<u16>())
}

/// The last `lines` of a file; empty when there is none.
pub fn tail(path: &Path, lines: usize) -> String {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
