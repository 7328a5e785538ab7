//! The served scripts, sourced by real shells in directories of their own, through one address in front of two replicas.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::process::{Child, Command};

use super::Room;
use crate::support::balancer::Balancer;
use crate::support::fleet::Fleet;
use crate::support::process::{scratch, unique};
use crate::support::wait::eventually;

/// Patience for shells that start a dozen programs for each message.
const SOON: Duration = Duration::from_secs(40);

/// The shells that are here; bash always. What dash runs has nothing in it that an old bash does not know.
fn shells() -> Vec<&'static str> {
    let is_here = |shell: &&str| std::process::Command::new(shell).arg("-c").arg(":").status().is_ok_and(|s| s.success());
    ["bash", "zsh", "dash"].into_iter().filter(is_here).collect()
}

fn command(shell: &str, directory: &Path, script: &str) -> Command {
    let mut command = Command::new(shell);
    command.arg("-c").arg(script).current_dir(directory).env("NO_PROXY", "*").env_remove("AGENTALK_KEY").env_remove("AGENTALK_CRYPTO");
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs a script; what it printed, and what it complained of.
async fn run(shell: &str, directory: &Path, env: &[(&str, &str)], script: &str) -> (bool, String, String) {
    let output = command(shell, directory, script).envs(env.iter().copied()).output();
    let output = tokio::time::timeout(Duration::from_secs(60), output).await.expect("it ends").expect("the shell runs");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// An agent in a directory of its own: its session file, and the loop that it runs.
struct Shell {
    shell: &'static str,
    directory: PathBuf,
    session: String,
    name: String,
    printed: PathBuf,
    following: Child,
}

impl Shell {
    /// Bootstraps as printed on the pages, checks what is promised of it, and starts the loop.
    async fn start(shell: &'static str, base: &str, directory: &Path, join: Option<(&Room, &str)>) -> Self {
        fs::create_dir_all(directory).expect("a directory");
        let (key, url) = match join {
            None => ("", format!("{base}/bootstrap.sh")),
            Some((room, key)) => (key, format!("{base}/c/{}/bootstrap.sh?token={}", room.id, room.token)),
        };
        let env = [("AGENTALK_KEY", key)];
        let (good, said, complaints) = run(shell, directory, &env, &format!("eval \"$(curl -fsS '{url}')\"")).await;
        assert!(good && complaints.is_empty(), "{said}\n{complaints}");
        let role = if join.is_some() { "joiner" } else { "initiator" };
        let ready = said.lines().next().unwrap_or_default().to_owned();
        let field = |name: &str| ready.split(&format!(" {name}=")).nth(1).map(|v| v.split(' ').next().unwrap_or_default().to_owned());
        let (channel, name) = (field("channel").expect("a channel"), field("name").expect("a name"));
        assert!(ready.starts_with(&format!("READY {role}: channel=")), "{said}");
        let session = format!("/tmp/agentalk-session-{channel}-{name}.env");
        assert!(said.lines().skip(1).all(|l| l.starts_with("NEXT ")) && said.contains(&session) && said.contains("agentalk_say"), "{said}");
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&session).expect("the session file").permissions());
        assert_eq!(mode & 0o777, 0o600);
        let printed = directory.join("printed");
        let to = fs::File::create(&printed).expect("a file");
        let following = command(shell, directory, &format!(". {session} && eval \"$(curl -fsS {base}/loop.sh)\""))
            .stdout(to.try_clone().expect("a file"))
            .stderr(to)
            .spawn()
            .expect("the shell runs");
        Self { shell, directory: directory.to_owned(), session, name, printed, following }
    }

    fn variable(&self, name: &str) -> String {
        let text = fs::read_to_string(&self.session).expect("the session file");
        let line = text.lines().find_map(|l| l.strip_prefix(&format!("{name}='"))).unwrap_or_else(|| panic!("no {name}"));
        line.trim_end_matches('\'').to_owned()
    }

    /// Runs something with the session's helpers.
    async fn does(&self, env: &[(&str, &str)], what: &str) -> String {
        let (good, said, complaints) = run(self.shell, &self.directory, env, &format!(". {} && {what}", self.session)).await;
        assert!(good && complaints.is_empty(), "{what}: {said}\n{complaints}");
        said
    }

    fn lines(&self) -> Vec<String> {
        fs::read_to_string(&self.printed).expect("what it printed").lines().map(str::to_owned).collect()
    }

    /// Waits for a line of the loop that begins so.
    async fn prints(&self, begin: &str) -> String {
        let begin = format!("agentalk: {begin}");
        let find = || self.lines().into_iter().find(|l| l.starts_with(&begin));
        let what = format!("{} prints {begin:?}", self.name);
        let waited = tokio::time::timeout(SOON, async {
            while find().is_none() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        assert!(waited.await.is_ok(), "{what}; it printed {:#?}", self.lines());
        find().expect("it was there")
    }

    /// The text that a line of the loop leads to.
    fn text_of(line: &str) -> String {
        let file = line.split(" file=").nth(1).and_then(|l| l.split(' ').next()).expect("a file");
        fs::read_to_string(file).expect("the message")
    }

    async fn ends(&mut self) {
        let ended = tokio::time::timeout(SOON, self.following.wait()).await;
        assert!(ended.is_ok_and(|s| s.is_ok()), "the loop of {} goes on: {:#?}", self.name, self.lines());
    }
}

#[tokio::test]
async fn agents_in_three_directories_pair_talk_and_see_the_end() {
    let fleet = Fleet::builder().env("CH_MAX_MESSAGES", "24").env("CH_POLL_TIMEOUT_MS", "2000").start().await;
    let base = Balancer::start(&fleet).await;
    for shell in shells() {
        let home = scratch().join(format!("rooms-{}", unique()));
        let mut ada = Shell::start(shell, base.url(), &home.join("my ada!"), None).await;
        assert_eq!(ada.name, "myada");
        let key = ada.variable("CHANNEL_KEY");
        let room = Room { client: fleet.client(), id: ada.variable("CHANNEL_ID"), token: ada.variable("TOKEN") };
        let share = fs::read_to_string(format!("/tmp/agentalk-share-{}-myada.txt", room.id)).expect("the share message");
        assert!(share.contains(&format!("/c/{}?token={}#k={key}", room.id, room.token)) && !share.contains("__KEY__"), "{share}");
        let human = fs::read_to_string(format!("/tmp/agentalk-share-human-{}-myada.txt", room.id)).expect("the share message");
        assert!(human.contains(&key) && human.contains("__TOPIC__"), "{human}");

        // The key as base64url, which links from elsewhere may have.
        let bytes = data_encoding::HEXLOWER.decode(key.as_bytes()).expect("hex");
        let other_form = data_encoding::BASE64URL_NOPAD.encode(&bytes);
        let mut bob = Shell::start(shell, base.url(), &home.join("a/worker"), Some((&room, &other_form))).await;
        let mut carol = Shell::start(shell, base.url(), &home.join("b/worker"), Some((&room, &key))).await;
        assert_eq!((bob.name.as_str(), carol.name.as_str()), ("worker", "worker-1"), "the name was taken");
        assert_eq!(bob.variable("CHANNEL_KEY"), key);
        for joiner in [&bob, &carol] {
            ada.prints(&format!("WELCOMED {}", joiner.name)).await;
            joiner.prints("PAIRED with myada").await;
        }

        let text = "it's \"quoted\" \\n \\\\ $HOME `id` %s 🦊\nsecond line";
        ada.does(&[("TEXT", text)], "agentalk_say \"$TEXT\"").await;
        for joiner in [&bob, &carol] {
            let line = joiner.prints("BROADCAST from=myada").await;
            assert_eq!(Shell::text_of(&line), text);
            assert!(line.contains(&format!(" bytes={} ", text.len())) && line.contains("preview=it's \"quoted\" \\n"), "{line}");
        }
        let path = home.join("long.txt");
        fs::write(&path, format!("{}\\t\n", "x".repeat(40_000))).expect("a file");
        let path = path.to_str().expect("a path");
        bob.does(&[], &format!("agentalk_dm_file worker-1 {path}")).await;
        assert_eq!(Shell::text_of(&carol.prints("DM from=worker ").await).len(), 40_003);
        carol.does(&[], "agentalk_dm myada 'only you'").await;
        assert_eq!(Shell::text_of(&ada.prints("DM from=worker-1").await), "only you");
        assert!(!bob.lines().iter().any(|l| l.contains("DM from=worker-1")), "it was not for bob");
        assert!(!ada.lines().iter().any(|l| l.contains("BROADCAST from=myada")), "one's own words do not come back");

        // Somebody with another key, under a name that is not to break a line.
        let stranger = room.joined("st ra\u{a0}nger").await;
        room.send(&stranger, "bm90IHNlYWxlZCB3aXRoIHRoaXMga2V5LCBub3QgYXQgYWxsLCBubyE=").await.ok(200);
        ada.prints("DECRYPT_FAIL from=stra").await;
        room.leave(&stranger).await.ok(200);
        bob.prints("PEER_LEFT name=stra").await;

        let again = room.joined("flood").await;
        eventually("the room is full", SOON, || async { room.send(&again, "eA==").await.status == 404 }).await;
        for agent in [&mut ada, &mut bob, &mut carol] {
            agent.prints("SYSTEM evicted_max_messages").await;
            agent.ends().await;
            let events = fs::read_to_string(format!("/tmp/agentalk-events-{}-{}.log", room.id, agent.name)).expect("the events");
            assert_eq!(events.lines().collect::<Vec<_>>(), agent.lines());
        }
    }
    fleet.finish().await;
}

#[tokio::test]
async fn a_loop_joins_again_when_the_room_slept_and_goes_on_when_replicas_die() {
    let fleet = Fleet::builder().env("CH_IDLE_TIMEOUT_MS", "60000").env("CH_POLL_TIMEOUT_MS", "1000").start().await;
    let base = Balancer::start(&fleet).await;
    let home = scratch().join(format!("rooms-{}", unique()));
    let ada = Shell::start("bash", base.url(), &home.join("ada"), None).await;
    let room = Room { client: fleet.client(), id: ada.variable("CHANNEL_ID"), token: ada.variable("TOKEN") };
    let bob = Shell::start("bash", base.url(), &home.join("bob"), Some((&room, &ada.variable("CHANNEL_KEY")))).await;
    bob.prints("PAIRED with ada").await;
    // Every second connection is refused for a while.
    fleet.kill9(0);
    ada.does(&[], "agentalk_say 'while one is dead'").await;
    bob.prints("BROADCAST from=ada").await;
    fleet.restart(0).await;
    // As after a machine's sleep: the room fell asleep meanwhile.
    let key = |suffix: &str| format!("{}{{room:{}}}:{suffix}", fleet.prefix(), room.id);
    let seen: u64 = fleet.redis().run(&["HGET", &key("room"), "seen"]);
    let before = bob.variable("PARTICIPANT_ID");
    fleet.redis().run::<()>(&["HSET", &key("room"), "seen", &(seen - 70_000_000).to_string()]);
    eventually("both joined again", SOON, || async {
        let people: usize = fleet.redis().run(&["HLEN", &key("people")]);
        people == 2 && bob.variable("PARTICIPANT_ID") != before
    })
    .await;
    bob.does(&[], "agentalk_say 'after the sleep'").await;
    eventually("ada reads on", SOON, || async { ada.lines().iter().any(|l| l.contains("preview=after the sleep")) }).await;
    drop((ada, bob)); // their loops end with them, and so does what they wait for
    fleet.finish().await;
}

#[tokio::test]
async fn people_who_write_in_bursts_are_shown_as_one() {
    let fleet = Fleet::builder().env("CH_POLL_TIMEOUT_MS", "2000").start().await;
    let base = Balancer::start(&fleet).await;
    let home = scratch().join(format!("rooms-{}", unique()));
    let ada = Shell::start("bash", base.url(), &home.join("ada"), None).await;
    let room = Room { client: fleet.client(), id: ada.variable("CHANNEL_ID"), token: ada.variable("TOKEN") };
    // A person's browser says so in its greeting. Here the helpers seal for it.
    let eve = room.join("eve").await.ok(200)["participant_id"].as_str().expect("an id").to_owned();
    for said in [json!({ "hello": "c1", "human": true, "resumed": true }), json!({ "text": "one" }), json!({ "text": "two" })] {
        let sealed = ada.does(&[("PLAIN", &said.to_string())], "printf '%s' \"$PLAIN\" | _agentalk_crypt seal \"$CHANNEL_ID:eve\"").await;
        room.send(&eve, &sealed).await.ok(200);
    }
    ada.prints("HUMAN_JOINED name=eve resumed=1").await;
    let line = ada.prints("BROADCAST from=eve human=1 msgs=2").await;
    assert_eq!(Shell::text_of(&line), "one\ntwo");
    drop(ada);
    fleet.finish().await;
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_said_and_fails() {
    let fleet = Fleet::start(1).await;
    let base = fleet.url(0);
    let room = Room::make(&fleet.client()).await;
    let home = scratch().join(format!("rooms-{}", unique()));
    fs::create_dir_all(&home).expect("a directory");
    let join = format!("eval \"$(curl -fsS '{base}/c/{}/bootstrap.sh?token={}')\"", room.id, room.token);
    let fails = async |env: &[(&str, &str)], script: &str, role: &str, why: &str| {
        for shell in shells() {
            let (good, said, complaints) = run(shell, &home, env, script).await;
            let begin = format!("ERROR: agentalk bootstrap ({role}): ");
            assert!(
                !good && said.is_empty() && complaints.starts_with(&begin) && complaints.contains(why),
                "{shell}: {said}\n{complaints}"
            );
        }
    };
    fails(&[], &join, "joiner", "AGENTALK_KEY is not set").await;
    fails(&[("AGENTALK_KEY", "KEY")], &join, "joiner", "no key").await;
    let key = "0".repeat(64);
    let wrong = join.replace(&room.token, &"0".repeat(48));
    fails(&[("AGENTALK_KEY", &key)], &wrong, "joiner", "channel_or_token_invalid").await;
    // A path without programs but curl's and the like.
    let tools = home.join("tools");
    fs::create_dir_all(&tools).expect("a directory");
    for tool in ["curl", "od", "sed", "tr", "cut", "basename"] {
        let found = std::process::Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().expect("sh runs");
        let found = String::from_utf8_lossy(&found.stdout).trim().to_owned();
        std::os::unix::fs::symlink(&found, tools.join(tool)).expect("a link");
    }
    let poor = |script: &str| format!("PATH='{}'; {script}", tools.display());
    let make = format!("eval \"$(curl -fsS {base}/bootstrap.sh)\"");
    fails(&[], &poor(&make), "initiator", "jq is not installed").await;
    std::os::unix::fs::symlink("/bin/true", tools.join("jq")).expect("a link");
    fails(&[], &poor(&make), "initiator", "neither node nor python3").await;
    fleet.finish().await;
}

/// Sealed by other hands: the first by node's crypto, the second is test case 14 of the GCM specification.
const VECTORS: [(&str, &str, &str, &str); 2] = [
    (
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "0123456789abcdef:Adä L.",
        "AAECAwQFBgcICQoLPCCifr2R4CGvKVQi3YUXTd+K6RQA5Pn2GhpU6lUbRRE1r54MIH36OVHg",
        "{\"text\":\"héllo \\\\n 🦊\"}",
    ),
    (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "",
        "AAAAAAAAAAAAAAAAzqdAPU1ga24HTsXTuvOdGNDRyKeZmWvwJluYtdSKuRk=",
        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    ),
];

#[tokio::test]
async fn every_way_of_encrypting_reads_and_writes_the_same() {
    let fleet = Fleet::start(1).await;
    let helpers = fleet.client().get("/helpers.sh").await.has_status(200).text;
    let home = scratch().join(format!("rooms-{}", unique()));
    fs::create_dir_all(&home).expect("a directory");
    fs::write(home.join("helpers.sh"), helpers).expect("a file");
    let is_here = |test: &[&str]| std::process::Command::new(test[0]).args(&test[1..]).output().is_ok_and(|o| o.status.success());
    let ways: Vec<&str> = [
        ("node", vec!["node", "-e", "0"]),
        (
            "openssl",
            vec!["python3", "-c", "import ctypes, ctypes.util; ctypes.CDLL(ctypes.util.find_library('crypto') or 'libcrypto.so.3')"],
        ),
        ("package", vec!["python3", "-c", "import cryptography.hazmat.primitives.ciphers.aead"]),
        ("python", vec!["python3", "-c", "0"]),
    ]
    .into_iter()
    .filter(|(_, test)| is_here(test))
    .map(|(way, _)| way)
    .collect();
    assert!(ways.len() >= 2, "{ways:?}");
    let crypt = async |way: &str, script: &str, env: &[(&str, &str)]| {
        let script = format!("CHANNEL_ID=c MY_NAME=m BRIDGE_URL=u; . ./helpers.sh; {script}");
        run("bash", &home, &[&[("AGENTALK_CRYPTO", way)], env].concat(), &script).await
    };
    for way in &ways {
        for (key, aad, sealed, text) in VECTORS {
            let env = [("CHANNEL_KEY", key), ("AAD", aad), ("SEALED", sealed)];
            let (good, opened, _) = crypt(way, "agentalk_decrypt \"$AAD\" \"$SEALED\"", &env).await;
            assert_eq!((good, opened.as_str()), (true, text), "{way}");
            for wrong in [[("AAD", "another")], [("CHANNEL_KEY", &*"1".repeat(64))], [("SEALED", &sealed[..20])], [("SEALED", "?")]] {
                let (good, opened, _) = crypt(way, "agentalk_decrypt \"$AAD\" \"$SEALED\"", &[&env[..], &wrong].concat()).await;
                assert!(!good && opened.is_empty(), "{way} opens with {wrong:?}");
            }
        }
        let text = "x\\n ünd 🦊 ".repeat(100);
        let env = [("CHANNEL_KEY", VECTORS[0].0), ("TEXT", text.as_str())];
        let seal = "printf '%s' \"$TEXT\" | _agentalk_crypt seal 'c:ä'";
        let (_, sealed, _) = crypt(way, seal, &env).await;
        assert_ne!(crypt(way, seal, &env).await.1, sealed, "a fresh nonce each");
        for other in &ways {
            let env = [&env[..], &[("SEALED", sealed.as_str())]].concat();
            assert_eq!(crypt(other, "agentalk_decrypt 'c:ä' \"$SEALED\"", &env).await.1, text, "{way} to {other}");
        }
    }
    fleet.finish().await;
}
