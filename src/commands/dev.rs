//! `backchannel dev`: everything on one machine, for a first try and for work on the code. Never for production.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use tokio::net::TcpListener;

use super::private_redis::PrivateRedis;
use super::serve::{Beside, run_api};
use super::{load, print, runtime, stop_on_signals};
use crate::serving;
use crate::settings::{Defaults, Loaded, SettingFlags, Settings};
use crate::shutdown::Shutdown;
use crate::store::target::RedisTarget;

/// How many ports above the default one are tried.
const OTHER_PORTS: u16 = 50;

pub(super) fn run(flags: &SettingFlags) -> Result<()> {
    let loaded = load(flags, Defaults::Dev)?;
    // Runs on the main thread, which lives as long as the process: redis-server is told to end with the thread that started it.
    runtime(&loaded.settings)?.block_on(dev(loaded))
}

async fn dev(loaded: Loaded) -> Result<()> {
    let shutdown = Shutdown::new();
    stop_on_signals(shutdown.clone())?;
    if loaded.was_given("BACKCHANNEL_REDIS_URL") {
        tracing::warn!("dev starts a Redis of its own and ignores BACKCHANNEL_REDIS_URL; `backchannel serve` uses it");
    }
    let listener = listen(&loaded.settings, loaded.was_given("BACKCHANNEL_PORT"))?;
    let bound = listener.local_addr().context("the address that was bound")?;
    let mut settings = loaded.settings;
    let data_dir = data_dir(&settings)?;

    let greeting = greeting(bound, settings.port, &data_dir);

    let mut redis = tokio::select! {
        started = PrivateRedis::start(&settings.redis_server, &data_dir) => started?,
        () = shutdown.signal() => return Ok(()),
    };
    settings.redis_url = RedisTarget::parse(&redis.url()).map_err(|why| anyhow!("the private Redis's URL: {why}"))?;
    let ended = {
        let api = run_api(settings, listener, shutdown.clone(), Beside::Worker, || greet(&greeting));
        tokio::pin!(api);
        tokio::select! {
            ended = api.as_mut() => ended,
            why = redis.ended() => {
                shutdown.begin();
                api.await.and(Err(why))
            }
        }
    };
    redis.stop().await;
    ended
}

/// The address of the settings. Where no port was asked for and the usual one is taken, the next free one.
fn listen(settings: &Settings, port_was_given: bool) -> Result<TcpListener> {
    let address = |port| SocketAddr::new(settings.host, port);
    let usual = settings.port;
    match serving::listen(address(usual)) {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == ErrorKind::AddrInUse && !port_was_given => {
            let others = usual.saturating_add(1)..=usual.saturating_add(OTHER_PORTS);
            others
                .filter_map(|port| serving::listen(address(port)).ok())
                .next()
                .with_context(|| format!("port {usual} and the {OTHER_PORTS} after it are taken; choose one with --port"))
        }
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            bail!("port {usual} on {} is taken; choose another with --port", settings.host)
        }
        Err(error) => Err(error).with_context(|| format!("cannot listen on {}", address(usual))),
    }
}

/// Where a client on this machine reaches the listener.
fn base_url(bound: SocketAddr) -> String {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, bound.port()))
}

/// Where the private Redis keeps its data: as set, else in the user's folder for state.
fn data_dir(settings: &Settings) -> Result<PathBuf> {
    if let Some(folder) = &settings.data_dir {
        return Ok(folder.clone());
    }
    // The XDG specification: a relative path there is to be ignored.
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = variable("XDG_STATE_HOME").or_else(|| Some(variable("HOME")?.join(".local/state")));
    Ok(state.context("there is no home folder to keep the data in; name one with --data-dir")?.join("backchannel"))
}

fn greeting(bound: SocketAddr, wanted_port: u16, data_dir: &Path) -> String {
    let base = base_url(bound);
    let other_port = match wanted_port {
        0 => String::new(),
        port if port == bound.port() => String::new(),
        port => format!(" (port {port} is taken)"),
    };
    format!(
        "Backchannel is running: {base}{other_port}\n\
         Read: {base} in a browser, {base}/llms.txt for agents\n\
         Data: {}   Requests: --log-level info   Stop: Ctrl-C\n\n\
         Hand over a task, in another terminal (a key, a channel, a task, and the claim of it):\n\n{}\n",
        data_dir.display(),
        four_curl_lines(&base)
    )
}

fn greet(greeting: &str) {
    // With nobody reading standard output it still runs.
    if let Err(error) = print(greeting) {
        tracing::warn!(%error, "the greeting cannot be printed");
    }
}

/// A handoff in four lines of bash: mint a key, make a channel, post a task, claim it. The label is a fresh one and the channel
/// goes by its id, so the lines work any number of times.
pub fn four_curl_lines(base: &str) -> String {
    const LINES: &str = r#"KEY=$(curl -s BASE/v1/keys -d '{"agent_label":"me-'$RANDOM$RANDOM'"}' | sed 's/.*"key": *"\([^"]*\)".*/\1/')
CH=$(curl -s BASE/v1/channels -H "X-API-Key: $KEY" -d '{"name":"tasks","mode":"claimable"}' | sed 's/.*"id": *"\(ch_[^"]*\)".*/\1/')
curl -s BASE/v1/channels/$CH/messages -H "X-API-Key: $KEY" -d '{"content":"Summarise the report"}'
curl -s BASE/v1/tasks/claim -H "X-API-Key: $KEY" -d '{"channel":"'$CH'","lease_seconds":60}'
"#;
    LINES.replace("BASE", base)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let pairs = pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Settings::with_defaults(Defaults::Dev, pairs).expect("allowed")
    }

    #[tokio::test]
    async fn a_taken_port_is_left_to_its_owner_unless_it_was_asked_for() {
        let owner = serving::listen(([127, 0, 0, 1], 0).into()).expect("a free port");
        let taken = owner.local_addr().expect("an address").port();
        let settings = settings(&[("BACKCHANNEL_PORT", &taken.to_string())]);
        let other = listen(&settings, false).expect("another port").local_addr().expect("an address").port();
        assert!(other > taken, "{other}");
        let error = listen(&settings, true).expect_err("refused");
        assert!(error.to_string().contains(&format!("port {taken} on 127.0.0.1 is taken")), "{error:#}");
    }

    #[test]
    fn the_url_that_is_printed_can_be_reached() {
        for (bound, url) in
            [("127.0.0.1:8080", "http://127.0.0.1:8080"), ("0.0.0.0:81", "http://127.0.0.1:81"), ("[::]:81", "http://[::1]:81")]
        {
            assert_eq!(base_url(bound.parse().expect("an address")), url);
        }
    }

    #[test]
    fn the_greeting_says_that_another_port_was_taken() {
        let bound = SocketAddr::from(([127, 0, 0, 1], 8082));
        let first_line = |wanted| greeting(bound, wanted, Path::new("/d")).lines().next().map(str::to_owned);
        assert_eq!(first_line(8080).as_deref(), Some("Backchannel is running: http://127.0.0.1:8082 (port 8080 is taken)"));
        assert_eq!(first_line(0), first_line(8082));
    }

    #[test]
    fn the_data_folder_can_be_chosen() {
        assert_eq!(data_dir(&settings(&[("BACKCHANNEL_DATA_DIR", "/srv/bus")])).expect("a folder"), Path::new("/srv/bus"));
    }

    #[test]
    fn the_lines_are_four_and_name_the_base() {
        let lines = four_curl_lines("http://127.0.0.1:9000");
        assert_eq!(lines.lines().count(), 4);
        assert!(lines.lines().all(|line| line.contains("http://127.0.0.1:9000/v1/")) && !lines.contains("BASE"));
    }
}
