//! The `redis-server` that `dev` starts: on a loopback port, behind a password nobody knows, with its data in one folder, and gone
//! when this process is gone, however it ended.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// The oldest version whose pub/sub is sharded.
const OLDEST_VERSION: u32 = 7;

/// How long to wait for the first answer; reading back a large append-only file is answered with LOADING and may take longer.
const START: Duration = Duration::from_secs(30);

/// How long a stopping Redis may take to write out its data.
const STOP: Duration = Duration::from_secs(30);

/// How long another `dev` may take to leave the data folder.
const LOCK: Duration = Duration::from_secs(3);

/// Somebody else may take the free port before Redis does.
const ATTEMPTS: usize = 3;

/// A running private Redis.
pub(super) struct PrivateRedis {
    child: Child,
    port: u16,
    password: String,
    log: PathBuf,
    /// Redis holds it too, so that the folder stays locked as long as either lives.
    _lock: File,
}

impl PrivateRedis {
    /// Starts it on the data in `data_dir` and waits until it answers. Must be called on a thread that lives as long as the
    /// process (the kernel ends Redis with the thread that started it). Dropping the future ends it.
    ///
    /// # Errors
    /// In words for a newcomer: no or an old `redis-server`, a folder that is in use or cannot be written, Redis's own last lines.
    pub(super) async fn start(program: &Path, data_dir: &Path) -> Result<Self> {
        check_version(program).await?;
        make_private(data_dir).with_context(|| format!("the data folder {} cannot be made", data_dir.display()))?;
        let lock = lock(data_dir).await?;
        let mut attempt = 1;
        loop {
            let mut redis = Self::spawn(program, data_dir, lock.try_clone().context("the lock of the data folder")?).await?;
            match redis.wait_until_ready().await {
                Ok(()) => return Ok(redis),
                Err(_) if attempt < ATTEMPTS && redis.last_words().contains("already in use") => attempt += 1,
                Err(error) => {
                    redis.stop().await;
                    return Err(error);
                }
            }
        }
    }

    /// For clients. It holds the password.
    pub(super) fn url(&self) -> String {
        format!("redis://:{}@127.0.0.1:{}/0", self.password, self.port)
    }

    /// Waits until it ends by itself, and says so. May be dropped at any await.
    pub(super) async fn ended(&mut self) -> anyhow::Error {
        match self.child.wait().await {
            Ok(status) => self.ended_with(status),
            Err(error) => anyhow!(error).context("redis-server cannot be watched"),
        }
    }

    /// Asks it to write out its data and end, and waits for that.
    pub(super) async fn stop(mut self) {
        if let Some(pid) = self.pid() {
            // An error means that it has ended already.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        if timeout(STOP, self.child.wait()).await.is_err() {
            tracing::warn!("redis-server does not end: it is killed");
            if let Err(error) = self.child.kill().await {
                tracing::warn!(%error, "redis-server cannot be killed");
            }
        }
    }

    async fn spawn(program: &Path, data_dir: &Path, lock: File) -> Result<Self> {
        let port = free_port().await.context("no free port for redis-server")?;
        let password = format!("{:032x}", rand::random::<u128>());
        let log = data_dir.join("redis.log");
        let output = File::create(&log).with_context(|| format!("{} cannot be written", log.display()))?;
        let mut command = Command::new(program);
        command
            .arg("-")
            .current_dir(data_dir)
            .stdin(Stdio::piped())
            .stdout(output.try_clone().context("redis-server's log")?)
            .stderr(output)
            // A Ctrl-C in the terminal goes to the whole process group; Redis is to end after us, not beside us.
            .process_group(0)
            .kill_on_drop(true);
        end_with_us(&mut command, lock.try_clone().context("the lock of the data folder")?);
        let mut child = command.spawn().with_context(|| format!("{} cannot be started", program.display()))?;
        // Through a pipe, because a command line can be read by everybody on the machine.
        let mut stdin = child.stdin.take().context("redis-server's standard input")?;
        let written = stdin.write_all(configuration(port, &password).as_bytes()).await;
        drop(stdin);
        let mut redis = Self { child, port, password, log, _lock: lock };
        if let Err(error) = written {
            return Err(redis.ended().await.context(error));
        }
        Ok(redis)
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let mut patience = Instant::now() + START;
        loop {
            if let Some(status) = self.child.try_wait().context("redis-server cannot be watched")? {
                return Err(self.ended_with(status));
            }
            match timeout(Duration::from_secs(1), self.ping()).await {
                Ok(Ok(answer)) if answer.contains("+PONG") => return Ok(()),
                Ok(Ok(answer)) if answer.contains("-LOADING") => patience = Instant::now() + START,
                Ok(Ok(answer)) if !answer.is_empty() => bail!("redis-server does not accept its password: {}", answer.trim()),
                _ => {}
            }
            if Instant::now() > patience {
                bail!("redis-server does not answer; its log is {}", self.log.display());
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it answers to a login and a PING, empty if it closes.
    async fn ping(&self) -> io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.write_all(format!("AUTH {}\r\nPING\r\n", self.password).as_bytes()).await?;
        let mut answer = String::new();
        let mut bytes = [0; 256];
        while answer.lines().count() < 2 {
            match stream.read(&mut bytes).await? {
                0 => break,
                n => answer.push_str(&String::from_utf8_lossy(&bytes[..n])),
            }
        }
        Ok(answer)
    }

    fn pid(&self) -> Option<rustix::process::Pid> {
        rustix::process::Pid::from_raw(i32::try_from(self.child.id()?).ok()?)
    }

    fn ended_with(&self, status: ExitStatus) -> anyhow::Error {
        anyhow!("redis-server ended by itself ({status}); the last lines of {}:\n{}", self.log.display(), self.last_words())
    }

    /// The last lines of its log.
    fn last_words(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }
}

/// The folder and what Redis writes there are for this user only.
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Two servers on one append-only file would destroy it.
async fn lock(data_dir: &Path) -> Result<File> {
    let path = data_dir.join("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.with_context(|| format!("{} cannot be written", path.display()))?;
    let patience = Instant::now() + LOCK;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < patience => sleep(Duration::from_millis(50)).await,
            Err(TryLockError::WouldBlock) => {
                bail!("another backchannel dev is running on {}; stop it, or choose another --data-dir", data_dir.display())
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(|| format!("{} cannot be locked", path.display())),
        }
    }
}

/// Lets the child hold the lock too, and ends it when this process ends without saying so (`kill -9`).
fn end_with_us(command: &mut Command, lock: File) {
    #[cfg(target_os = "linux")]
    let us = rustix::process::getpid();
    let before_exec = move || {
        rustix::io::fcntl_setfd(&lock, rustix::io::FdFlags::empty())?;
        #[cfg(target_os = "linux")]
        {
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
            // We may have died before the line above; then nobody would send that signal.
            if rustix::process::getppid() != Some(us) {
                return Err(ErrorKind::BrokenPipe.into());
            }
        }
        Ok(())
    };
    // SAFETY: between fork and exec it only makes system calls; it takes no lock and allocates nothing.
    #[allow(unsafe_code, reason = "running code in the child before exec has no safe form")]
    unsafe {
        command.pre_exec(before_exec)
    };
}

fn configuration(port: u16, password: &str) -> String {
    // The working directory is the data folder. Data lives in the append-only file alone.
    format!(
        "bind 127.0.0.1\nport {port}\nprotected-mode yes\nrequirepass {password}\ndaemonize no\n\
         appendonly yes\nappendfsync everysec\nsave \"\"\nmaxmemory-policy noeviction\nlazyfree-lazy-expire yes\n"
    )
}

async fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0)).await?.local_addr()?.port())
}

/// That the program is there and new enough, or a line that helps.
async fn check_version(program: &Path) -> Result<()> {
    const HOW_TO_GET_IT: &str = "Get it with: sudo apt-get install redis-server (or name it with --redis-server)";
    let name = program.display();
    let output = match Command::new(program).arg("--version").stdin(Stdio::null()).output().await {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("{name} is not installed; dev needs it, version {OLDEST_VERSION}.0 or later. {HOW_TO_GET_IT}")
        }
        output => output.with_context(|| format!("{name} cannot be started"))?,
    };
    let said = String::from_utf8_lossy(&output.stdout);
    match major_version(&said) {
        Some(major) if major >= OLDEST_VERSION => Ok(()),
        Some(_) => bail!("{name} is too old ({}); dev needs version {OLDEST_VERSION}.0 or later. {HOW_TO_GET_IT}", said.trim()),
        None => bail!("{name} does not look like a Redis server: it says {:?} to --version", said.trim()),
    }
}

/// From a line such as `Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1`.
fn major_version(said: &str) -> Option<u32> {
    said.split_whitespace().find_map(|word| word.strip_prefix("v="))?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests;
