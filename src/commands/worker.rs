//! `backchannel worker`: one worker of a fleet.

use std::net::SocketAddr;

use anyhow::Result;

use super::serve::listen;
use super::{load, runtime, stop_on_signals};
use crate::serving::{self, Limits};
use crate::settings::{Defaults, SettingFlags};
use crate::shutdown::Shutdown;
use crate::telemetry;
use crate::webhooks::worker::Worker;

pub(super) fn run(flags: &SettingFlags) -> Result<()> {
    let settings = load(flags, Defaults::Serve)?.settings;
    runtime(&settings)?.block_on(async {
        let shutdown = Shutdown::new();
        stop_on_signals(shutdown.clone())?;
        let address = SocketAddr::new(settings.host, settings.metrics_port.unwrap_or(settings.port));
        let (listener, limits) = (listen(address)?, Limits::of(&settings));
        let app = crate::app::start(settings, shutdown.clone()).await?;
        let worker = Worker::new(app.clone(), shutdown.clone())?;
        tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "listening");
        let probes = tokio::spawn(serving::serve(listener, crate::router::metrics_router(app.clone()), limits, shutdown));
        worker.run().await?;
        probes.await?;
        app.close().await;
        telemetry::stop().await;
        tracing::info!("stopped");
        Ok(())
    })
}
