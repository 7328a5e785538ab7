//! The command line: what the program can be asked to do.

mod dev;
mod doctor;
mod healthcheck;
mod openapi;
mod private_redis;
mod serve;
mod worker;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};

use crate::settings::{Defaults, Loaded, Mistake, SettingFlags, Settings, configuration_md};
use crate::shutdown::{Shutdown, StopSignals};
use crate::telemetry;
use crate::telemetry::environment::Environment;

pub use dev::four_curl_lines;

const ABOUT: &str = "The message bus that AI agents use to hand work to each other";

const LONG_ABOUT: &str = "\
The message bus that AI agents use to hand work to each other: one service, small HTTP protocols, a stateless fleet on Redis.

Without a command it is `backchannel dev`: a private Redis and the API in one process, on this machine, without any setup.";

const EXAMPLES: &str = "\
Examples:
  backchannel                               try it: private Redis and API on http://127.0.0.1:8080
  backchannel --port 9000 --data-dir ./bus  the same, elsewhere
  BACKCHANNEL_REDIS_URL=redis://redis:6379/0 backchannel serve
                                            a replica of a fleet; start as many as you like on one Redis
  BACKCHANNEL_REDIS_URL=redis://redis:6379/0 backchannel worker
                                            a worker of that fleet, which pushes webhooks; any number too
  BACKCHANNEL_REDIS_URL=redis://redis:6379/0 backchannel doctor
                                            whether that Redis keeps what is promised, and what to change
  backchannel healthcheck http://127.0.0.1:8080/readyz
                                            exit code 0 when it is ready
  backchannel print configuration           every setting, as in docs/configuration.md

Every instance documents itself: / is for people, /llms.txt for agents, /docs/playground the API reference to click, /status says how it is.

Every setting is a flag and an environment variable; the flag wins. --help lists them all.";

#[derive(Parser)]
#[command(
    name = "backchannel",
    version,
    about = ABOUT,
    long_about = LONG_ABOUT,
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true
)]
struct Line {
    #[command(subcommand)]
    command: Option<Command>,
    /// Without a command these are the flags of `dev`.
    #[command(flatten)]
    dev: SettingFlags,
}

#[derive(Subcommand)]
enum Command {
    /// Try it on this machine: a private Redis and the API in one process (the default)
    ///
    /// Starts a redis-server of its own on a free loopback port, with an append-only file in --data-dir, and the API on
    /// 127.0.0.1:8080 (the next free port if that is taken). No limits on requests and keys. Ctrl-C stops all of it.
    Dev {
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Run one replica of a fleet, on the Redis of --redis-url
    ///
    /// Replicas are identical and keep nothing that matters: start any number on one Redis, stop them at any time. GET /startupz is
    /// 200 once Redis was reached, /readyz until it is gone for long, /livez as soon as the process runs. SIGTERM stops in order: unready, waiting requests answered,
    /// running ones finished (at most --drain-seconds), connections closed.
    Serve {
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Run one worker of a fleet: push webhooks, on the Redis of --redis-url
    ///
    /// Workers are identical and keep nothing that matters: start any number beside the replicas, stop them at any time. On --port they
    /// answer /livez, /startupz, /readyz and /metrics. SIGTERM stops in order: what is tried at the moment is finished, the rest handed back.
    Worker {
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Check the Redis of --redis-url against what docs/reliability.md needs, and say what to change
    ///
    /// One line a check: ok, warn (something may be lost or stop that need not), FAIL (work is lost or refused), or ? (this Redis does not
    /// tell, as managed ones do). Behind the arrow stands what to change. Every primary is looked at, and sentinels. Nothing is changed; one
    /// key is written that expires at once. Exit code 0 if nothing failed, 1 if something did, 2 for settings that cannot be used.
    Doctor {
        #[command(flatten)]
        settings: SettingFlags,
        /// Print the findings as one JSON object: ok, findings (level, check, at, is, change)
        #[arg(long)]
        json: bool,
    },
    /// Print the OpenAPI document
    Openapi,
    /// Ask a URL and exit with 0 if it answers 2xx within 5 seconds, otherwise with 1
    Healthcheck {
        /// What to GET, such as http://127.0.0.1:8080/readyz
        url: String,
    },
    /// Print what the program knows about itself
    Print {
        #[command(subcommand)]
        what: Print,
    },
}

#[derive(Subcommand)]
enum Print {
    /// Every setting, as Markdown (docs/configuration.md)
    #[command(alias = "settings")]
    Configuration,
    /// Every error code, as Markdown (docs/errors.md)
    Errors,
    /// Every key in Redis, as Markdown (docs/keyspace.md)
    Keyspace,
    /// A script as Redis gets it
    Script {
        /// Its file in lua/ without the ending, such as claims/claim
        name: String,
    },
}

/// Settings that cannot be used. Its `Display` has one line a mistake.
#[derive(Debug, thiserror::Error)]
#[error("the settings cannot be used:{}", mistakes.iter().map(|mistake| format!("\n  {mistake}")).collect::<String>())]
struct WrongSettings {
    mistakes: Vec<Mistake>,
}

/// Reads the command line and does what it says. The exit code is 0, 2 for a command line or settings that cannot be used,
/// otherwise 1, with a line on standard error.
pub fn main() -> ExitCode {
    match run(Line::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("backchannel: {error:#}");
            if error.is::<WrongSettings>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

fn run(line: Line) -> Result<()> {
    match line.command {
        None => dev::run(&line.dev),
        Some(Command::Dev { settings }) => dev::run(&settings),
        Some(Command::Serve { settings }) => serve::run(&settings),
        Some(Command::Worker { settings }) => worker::run(&settings),
        Some(Command::Doctor { settings, json }) => doctor::run(&settings, json),
        Some(Command::Openapi) => openapi::run(),
        Some(Command::Healthcheck { url }) => healthcheck::run(&url),
        Some(Command::Print { what: Print::Configuration }) => print(&configuration_md()),
        Some(Command::Print { what: Print::Errors }) => print(&crate::error::render::errors_md()),
        Some(Command::Print { what: Print::Keyspace }) => print(&crate::store::keyspace::keyspace_md()),
        Some(Command::Print { what: Print::Script { name } }) => match crate::store::scripts::print(&name) {
            Some(text) => print(&text),
            None => bail!("there is no script {name:?}; scripts are named as in lua/, such as claims/claim"),
        },
    }
}

/// Writes a text to standard output, with a line end. A reader that has had enough (`| head`) is no error.
fn print(text: &str) -> Result<()> {
    let line_end = if text.ends_with('\n') { "" } else { "\n" };
    let mut out = io::stdout().lock();
    match write!(out, "{text}{line_end}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("standard output"),
        _ => Ok(()),
    }
}

/// Reads the settings and prepares the process for them: TLS, tracing, logging, the limit of open files.
fn load(flags: &SettingFlags, defaults: Defaults) -> Result<Loaded> {
    let loaded = flags.load(defaults).map_err(|mistakes| WrongSettings { mistakes })?;
    install_tls();
    let environment = Environment::of_process();
    // A collector that cannot be used is no reason not to start.
    let tracer = environment.plan.as_ref().map(telemetry::start).transpose();
    let (tracer, trouble) = match tracer {
        Ok(tracer) => (tracer, None),
        Err(error) => (None, Some(error)),
    };
    crate::logging::init(&loaded.settings, tracer)?;
    for warning in loaded.warnings.iter().chain(&environment.warnings) {
        tracing::warn!("{warning}");
    }
    if let Some(error) = trouble {
        tracing::warn!("{error}; there is no tracing"); // without its cause, which repeats the URL
    }
    allow_open_files(&loaded.settings);
    Ok(loaded)
}

/// One TLS library for everything that speaks TLS. Asking twice changes nothing.
fn install_tls() {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::debug!("a TLS provider was installed before");
    }
}

/// Every connection is an open file, and the usual soft limit of 1024 is meant for other programs.
fn allow_open_files(settings: &Settings) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    // What Redis, logs and listeners need besides.
    let needed = settings.max_connections as u64 + 256;
    let limit = getrlimit(Resource::Nofile);
    let Some(current) = limit.current.filter(|current| *current < needed) else { return };
    let reachable = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(reachable), ..limit }).is_ok();
    if !raised || reachable < needed {
        let allowed = if raised { reachable } else { current };
        tracing::warn!(allowed, needed, "too few open files are allowed for BACKCHANNEL_MAX_CONNECTIONS; raise the limit (ulimit -n)");
    }
}

/// One thread needs no locks between threads, frees memory where it was taken, and sends what many requests ask of Redis together.
fn runtime(settings: &Settings) -> Result<Runtime> {
    let mut builder = match settings.threads {
        1 => Builder::new_current_thread(),
        threads => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(threads);
            builder
        }
    };
    builder.enable_all().build().context("the runtime cannot be started")
}

/// Begins the graceful stop on the first SIGTERM or SIGINT; the second one ends the process at once.
fn stop_on_signals(shutdown: Shutdown) -> Result<()> {
    let mut signals = StopSignals::listen().context("signals cannot be handled")?;
    tokio::spawn(async move {
        let signal = signals.next().await;
        tracing::info!(signal, "stopping");
        shutdown.begin();
        let signal = signals.next().await;
        tracing::warn!(signal, "asked again: stopping at once");
        std::process::exit(1);
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Line::command().debug_assert();
    }

    #[test]
    fn without_a_command_the_flags_are_those_of_dev() {
        let line = Line::try_parse_from(["backchannel", "--port", "9000"]).expect("a line that clap takes");
        assert!(line.command.is_none());
        assert!(Line::try_parse_from(["backchannel", "--port", "9000", "serve"]).is_err(), "flags belong behind the command");
        assert!(Line::try_parse_from(["backchannel", "serve", "--port", "9000"]).is_ok());
    }

    #[test]
    fn the_help_names_every_setting_with_its_variable() {
        for help in [Line::command().render_long_help(), subcommand("serve"), subcommand("worker"), subcommand("dev")] {
            let help = help.to_string();
            for row in crate::settings::TABLE {
                assert!(help.contains(&format!("--{} ", row.flag())) && help.contains(row.name), "{}", row.name);
            }
        }
    }

    fn subcommand(name: &str) -> clap::builder::StyledStr {
        Line::command().find_subcommand_mut(name).expect("a command").render_long_help()
    }

    #[test]
    fn wrong_settings_have_a_line_each() {
        let pairs = ["PORT", "HOST"].map(|name| (format!("BACKCHANNEL_{name}"), "x".to_owned()));
        let mistakes = Settings::from_pairs(pairs).expect_err("mistakes");
        let text = WrongSettings { mistakes }.to_string();
        assert_eq!(text.lines().count(), 3, "{text}");
    }
}
