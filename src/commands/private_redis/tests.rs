//! These start a real redis-server, as `dev` does.

use super::*;

/// A folder of this test's own, removed when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("backchannel-{name}-{:08x}", rand::random::<u32>())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn start(folder: &Folder) -> Result<PrivateRedis> {
    PrivateRedis::start(Path::new("redis-server"), &folder.0).await
}

/// The answer to one inline command, after logging in.
async fn ask(redis: &PrivateRedis, command: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", redis.port)).await.expect("connected");
    let text = format!("AUTH {}\r\n{command}\r\nQUIT\r\n", redis.password);
    stream.write_all(text.as_bytes()).await.expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("read");
    answer
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let folder = Folder::new("restart");
    let redis = start(&folder).await.expect("started");
    assert!(ask(&redis, "SET task 42").await.starts_with("+OK\r\n+OK"));
    assert!(ask(&redis, "CONFIG GET maxmemory-policy").await.contains("noeviction"));
    assert!(ask(&redis, "CONFIG GET lazyfree-lazy-expire").await.contains("yes"));
    redis.stop().await;
    let redis = start(&folder).await.expect("started again");
    assert!(ask(&redis, "GET task").await.contains("42"));
    redis.stop().await;
}

#[tokio::test]
async fn nobody_gets_in_without_the_password() {
    let folder = Folder::new("password");
    let redis = start(&folder).await.expect("started");
    let mut stream = TcpStream::connect(("127.0.0.1", redis.port)).await.expect("connected");
    stream.write_all(b"GET task\r\nQUIT\r\n").await.expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("read");
    assert!(answer.starts_with("-NOAUTH"), "{answer}");
    redis.stop().await;
}

#[tokio::test]
async fn a_second_one_on_the_same_data_is_refused() {
    let folder = Folder::new("second");
    let first = start(&folder).await.expect("started");
    let error = start(&folder).await.map(|_| ()).expect_err("refused");
    assert!(error.to_string().contains("another backchannel dev is running"), "{error:#}");
    first.stop().await;
    start(&folder).await.expect("free again").stop().await;
}

#[tokio::test]
async fn redis_itself_keeps_the_data_locked() {
    let folder = Folder::new("lock");
    let mut redis = start(&folder).await.expect("started");
    // As if this process were gone and Redis still writing out.
    redis._lock = File::create(folder.0.join("another-file")).expect("a file");
    let error = start(&folder).await.map(|_| ()).expect_err("refused");
    assert!(error.to_string().contains("another backchannel dev is running"), "{error:#}");
    redis.stop().await;
}

#[tokio::test]
async fn its_own_end_is_noticed() {
    let folder = Folder::new("ended");
    let mut redis = start(&folder).await.expect("started");
    let pid = redis.pid().expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
    let error = redis.ended().await;
    assert!(error.to_string().contains("redis-server ended by itself (signal: 9"), "{error:#}");
}

#[tokio::test]
async fn a_missing_program_is_explained_in_one_line() {
    let folder = Folder::new("missing");
    let error = PrivateRedis::start(Path::new("no-such-redis-server"), &folder.0).await.map(|_| ()).expect_err("missing");
    let text = error.to_string();
    assert!(text.contains("no-such-redis-server is not installed") && text.contains("apt-get install redis-server"), "{text}");
    assert_eq!(text.lines().count(), 1);
    assert!(!folder.0.exists(), "nothing was made");
}

#[tokio::test]
async fn another_program_is_not_taken_for_redis() {
    let folder = Folder::new("other");
    let error = PrivateRedis::start(Path::new("cat"), &folder.0).await.map(|_| ()).expect_err("not Redis");
    assert!(error.to_string().contains("does not look like a Redis server"), "{error:#}");
}

#[test]
fn the_version_is_read_from_what_servers_say() {
    for (said, major) in [
        ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=d8a7ea1f93cc2e78", Some(7)),
        ("Valkey server v=8.1.4 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1", Some(8)),
        ("Redis server v=6.0.16 sha=00000000:0", Some(6)),
        ("cat (GNU coreutils) 9.1", None),
    ] {
        assert_eq!(major_version(said), major);
    }
}
