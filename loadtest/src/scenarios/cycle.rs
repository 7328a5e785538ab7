//! The handoff: post, claim, ack of one message, by one connection. One operation is all three.

use std::time::Instant;

use anyhow::Result;

use crate::api::{self, Target};
use crate::drive::{Step, Window, Work, drive};
use crate::http::{Ask, Connection, Failure};
use crate::proc::Watched;
use crate::stats::Measured;

struct Handoff {
    connection: Connection,
    post: Ask,
}

impl Handoff {
    async fn once(&mut self) -> Result<(), Failure> {
        let id = api::read_posted(&self.connection.send(self.post.clone()).await?)?.id;
        self.connection.send(api::claim(&id)).await?;
        self.connection.send(api::ack(&id)).await?;
        Ok(())
    }
}

impl Work for Handoff {
    async fn begin(&mut self) -> Result<(), Failure> {
        self.connection.open().await
    }

    async fn step(&mut self) -> Step {
        let began = Instant::now();
        match self.once().await {
            Ok(()) => Step::Done(began.elapsed()),
            Err(failure) => Step::Failed(failure),
        }
    }
}

/// # Errors
/// When nothing can be measured; refusals are counted instead.
pub async fn cycle(target: &Target, window: Window, watched: &[Watched]) -> Result<Measured> {
    let post = api::post(&target.channel("claimable").await?);
    let workers = (0..target.connections).map(|i| Ok(Handoff { connection: target.connect(i)?, post: post.clone() }));
    drive("cycle", workers.collect::<Result<_>>()?, window, watched).await
}
