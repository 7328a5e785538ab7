//! `backchannel-loadtest`: load for a running Backchannel, the yardsticks it is compared with, and the comparison.
//!
//! [`drive`] is the closed loop, [`scenarios`] what is done in it, [`minimal`] and [`pushes`] the yardsticks, [`receiver`] where webhooks go, [`bench`] all of them in one run.

mod api;
mod bench;
mod drive;
mod http;
mod minimal;
mod proc;
mod pushes;
mod receiver;
mod redis;
mod run;
mod scenarios;
mod stats;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

// The service's allocator, so that the minimal server differs from it by its code alone.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Load generator for Backchannel, and the yardsticks it is measured against.
#[derive(Parser)]
#[command(version)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// One scenario against a running server.
    Run(run::Options),
    /// The yardstick server; ends when it is killed.
    Minimal {
        #[arg(long)]
        redis: String,
        #[arg(long)]
        port: u16,
        /// On one thread, as the service is, instead of one a core, as tokio has it.
        #[arg(long)]
        one_thread: bool,
    },
    /// A receiver of webhooks that counts; ends when it is killed.
    Receive {
        #[arg(long)]
        port: u16,
    },
    /// The yardstick of deliveries: a bare loop of the HTTP client; ends when it is killed.
    Push {
        #[arg(long)]
        url: String,
        #[arg(long)]
        at_once: u16,
        /// Without the headers of a delivery.
        #[arg(long)]
        plain: bool,
    },
    /// All scenarios and yardsticks in one run, on processes of its own.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    match start(Line::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("backchannel-loadtest: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The load comes from one thread, the main one: it takes no more than a core, and the processes that `bench` starts die with it.
fn start(command: Command) -> Result<()> {
    match command {
        Command::Minimal { redis, port, one_thread } => {
            let mut builder = if one_thread { Builder::new_current_thread() } else { Builder::new_multi_thread() };
            builder.enable_all().build()?.block_on(minimal::serve(&redis, port))
        }
        Command::Receive { port } => Builder::new_multi_thread().enable_all().build()?.block_on(receiver::serve(port)),
        Command::Push { url, at_once, plain } => {
            Builder::new_multi_thread().enable_all().build()?.block_on(pushes::push(&url, at_once, plain))
        }
        Command::Run(options) => Builder::new_current_thread().enable_all().build()?.block_on(run::run(options)),
        Command::Bench(options) => Builder::new_current_thread().enable_all().build()?.block_on(async {
            let mut terminate = signal(SignalKind::terminate())?;
            // Dropping the bench kills what it started.
            tokio::select! {
                ended = Box::pin(bench::bench(options)) => ended,
                _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
                _ = terminate.recv() => Err(anyhow::anyhow!("terminated")),
            }
            .context("bench")
        }),
    }
}
