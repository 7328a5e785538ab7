//! `backchannel serve`: one replica.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use tokio::net::TcpListener;

use super::{load, runtime, stop_on_signals};
use crate::serving::{self, Limits};
use crate::settings::{Defaults, SettingFlags, Settings};
use crate::shutdown::Shutdown;
use crate::telemetry;
use crate::webhooks::worker::Worker;

pub(super) fn run(flags: &SettingFlags) -> Result<()> {
    let settings = load(flags, Defaults::Serve)?.settings;
    runtime(&settings)?.block_on(async {
        let shutdown = Shutdown::new();
        stop_on_signals(shutdown.clone())?;
        let listener = listen(SocketAddr::new(settings.host, settings.port))?;
        run_api(settings, listener, shutdown, Beside::Nothing, || {}).await
    })
}

/// What runs in the process of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    Nothing,
    /// A worker, as `dev` has it.
    Worker,
}

/// Runs the API until `shutdown` begins and everything has ended in order. `on_listening` is called once it answers.
///
/// # Errors
/// If it cannot start. That Redis is away is no reason: the replica is then unready.
pub(super) async fn run_api(
    settings: Settings,
    listener: TcpListener,
    shutdown: Shutdown,
    beside: Beside,
    on_listening: impl FnOnce(),
) -> Result<()> {
    let limits = Limits::of(&settings);
    let metrics = settings.metrics_port.map(|port| listen(SocketAddr::new(settings.host, port))).transpose()?;
    let address = listener.local_addr().context("the address that was bound")?;

    let app = crate::app::start(settings, shutdown.clone()).await?;
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "listening");
    on_listening();
    let worker = match beside {
        Beside::Nothing => None,
        Beside::Worker => Some(tokio::spawn(Worker::new(app.clone(), shutdown.clone())?.run())),
    };
    let api = serving::serve(listener, crate::router::router(app.clone()), limits, shutdown.clone());
    match metrics {
        None => api.await,
        Some(listener) => {
            let router = crate::router::metrics_router(app.clone());
            tokio::join!(api, serving::serve(listener, router, limits, shutdown));
        }
    }
    if let Some(worker) = worker {
        worker.await.context("the worker")??;
    }
    app.close().await;
    telemetry::stop().await;
    tracing::info!("stopped");
    Ok(())
}

/// [`serving::listen`] with a line that names the address.
pub(super) fn listen(address: SocketAddr) -> Result<TcpListener> {
    serving::listen(address).with_context(|| format!("cannot listen on {address}"))
}
