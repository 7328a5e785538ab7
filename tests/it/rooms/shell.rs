//! Shells that source the served scripts, each agent in a directory of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use super::Room;
use crate::support::client::Client;

/// Patience for shells that start a dozen programs for each message.
pub const SOON: Duration = Duration::from_secs(90);

/// The shells that are here; bash always. What dash runs has nothing in it that an old bash does not know.
pub fn shells() -> Vec<&'static str> {
    let is_here = |shell: &&str| std::process::Command::new(shell).arg("-c").arg(":").status().is_ok_and(|s| s.success());
    ["bash", "zsh", "dash"].into_iter().filter(is_here).collect()
}

fn command(shell: &str, directory: &Path, script: &str) -> Command {
    let mut command = Command::new(shell);
    command.arg("-c").arg(script).current_dir(directory).env("TMPDIR", directory);
    command.env("NO_PROXY", "*").env_remove("AGENTALK_KEY").env_remove("AGENTALK_CRYPTO");
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs a script; what it printed, and what it complained of.
pub async fn run(shell: &str, directory: &Path, env: &[(&str, &str)], script: &str) -> (bool, String, String) {
    let output = command(shell, directory, script).envs(env.iter().copied()).output();
    let output = tokio::time::timeout(Duration::from_secs(150), output).await.expect("it ends").expect("the shell runs");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// Removes those files in /tmp, where the protocol has the scripts put them, whose names go on so behind `agentalk-` and what they are.
pub fn tidy(of: &str, goes_on: impl Fn(&str) -> bool) {
    let files = fs::read_dir("/tmp").expect("it can be read").filter_map(Result::ok);
    let ours = |name: &str| name.starts_with("agentalk-") && name.split_once(of).is_some_and(|(_, rest)| goes_on(rest));
    for file in files.filter(|file| file.file_name().to_str().is_some_and(ours)) {
        let _ = fs::remove_file(file.path()); // another agent of the room may have been quicker
    }
}

/// An agent in a directory of its own: its session file, and the loop that it runs.
pub struct Shell {
    shell: &'static str,
    directory: PathBuf,
    session: String,
    pub name: String,
    base: String,
    printed: PathBuf,
    following: Option<Child>,
}

impl Shell {
    /// Bootstraps, and starts the loop.
    pub async fn start(shell: &'static str, base: &str, directory: &Path, join: Option<(&Room, &str)>) -> Self {
        let mut agent = Self::bootstrap(shell, base, directory, join).await;
        agent.follow();
        agent
    }

    /// Bootstraps as printed on the pages, and checks what is promised of it.
    pub async fn bootstrap(shell: &'static str, base: &str, directory: &Path, join: Option<(&Room, &str)>) -> Self {
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
        Self { shell, directory: directory.to_owned(), session, name, base: base.to_owned(), printed, following: None }
    }

    /// Starts the loop, as the NEXT line has it.
    pub fn follow(&mut self) {
        let to = fs::File::create(&self.printed).expect("a file");
        let script = format!(". {} && eval \"$(curl -fsS {}/loop.sh)\"", self.session, self.base);
        let mut shell = command(self.shell, &self.directory, &script);
        let following = shell.stdout(to.try_clone().expect("a file")).stderr(to).spawn().expect("the shell runs");
        self.following = Some(following);
    }

    /// The loop does nothing until it is told to go on; what it has asked is answered.
    pub fn stop(&self) {
        self.signal("STOP");
    }

    pub fn go_on(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.following.as_ref().and_then(Child::id).expect("it follows");
        let status = std::process::Command::new("sh").args(["-c", &format!("kill -{signal} {id}")]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill -{signal} {id}");
    }

    pub fn variable(&self, name: &str) -> String {
        let text = fs::read_to_string(&self.session).expect("the session file");
        let line = text.lines().find_map(|l| l.strip_prefix(&format!("{name}='"))).unwrap_or_else(|| panic!("no {name}"));
        line.trim_end_matches('\'').to_owned()
    }

    /// Runs something with the session's helpers.
    pub async fn does(&self, env: &[(&str, &str)], what: &str) -> String {
        let (good, said, complaints) = run(self.shell, &self.directory, env, &format!(". {} && {what}", self.session)).await;
        assert!(good && complaints.is_empty(), "{what}: {said}\n{complaints}");
        said
    }

    pub fn lines(&self) -> Vec<String> {
        fs::read_to_string(&self.printed).expect("what it printed").lines().map(str::to_owned).collect()
    }

    /// Waits for a line of the loop that begins so.
    pub async fn prints(&self, begin: &str) -> String {
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

    /// A text of somebody else under this room's key.
    pub async fn seals_for(&self, name: &str, plain: &str) -> String {
        self.does(&[("PLAIN", plain), ("WHO", name)], "printf '%s' \"$PLAIN\" | _agentalk_crypt seal \"$CHANNEL_ID:$WHO\"").await
    }

    /// The room it is in.
    pub fn room(&self, client: Client) -> Room {
        Room { client, id: self.variable("CHANNEL_ID"), token: self.variable("TOKEN") }
    }

    /// The text that a line of the loop leads to.
    pub fn text_of(line: &str) -> String {
        let file = line.split(" file=").nth(1).and_then(|l| l.split(' ').next()).expect("a file");
        fs::read_to_string(file).expect("the message")
    }

    pub async fn ends(&mut self) {
        let following = self.following.as_mut().expect("it follows");
        let ended = tokio::time::timeout(SOON, following.wait()).await;
        assert!(ended.is_ok_and(|s| s.is_ok()), "the loop of {} goes on: {:#?}", self.name, self.lines());
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        if let Some(following) = &mut self.following {
            let _ = following.start_kill(); // it may have ended
        }
        let of = self.session.trim_start_matches("/tmp/agentalk-session-").trim_end_matches(".env");
        // Not those of another agent, whose name begins with this one's.
        tidy(of, |rest| rest.starts_with('.'));
        tidy(&format!("msg-{of}-"), |rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with('.'));
    }
}
