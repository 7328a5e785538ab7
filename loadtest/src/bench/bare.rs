//! Bare pub/sub: what wake-ups are compared with. Nothing but Redis between connections of the generator.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use deadpool_redis::redis::aio::{MultiplexedConnection, PubSub};
use deadpool_redis::redis::{Client, cmd};
use futures::StreamExt;

use super::Bench;
use crate::drive::{Step, Work, drive};
use crate::http::Failure;
use crate::scenarios::wake::pause;
use crate::stats::Measured;

/// How far a message goes until the clock is stopped.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// From a PUBLISH to the message.
    OneWay,
    /// Who hears it publishes an answer: from the first PUBLISH to that.
    RoundTrip,
}

/// Who publishes to a topic.
struct Publisher {
    topic: String,
    connection: MultiplexedConnection,
}

impl Publisher {
    async fn publish(&mut self) -> Result<()> {
        let mut command = cmd("PUBLISH");
        command.arg(&self.topic).arg("one");
        command.query_async(&mut self.connection).await.context("PUBLISH")
    }
}

/// Two topics: on one a message goes there, on the other one the answer comes back. Each end has connections of its own.
struct Exchange {
    way: Way,
    there: (Publisher, PubSub),
    back: (Publisher, PubSub),
}

impl Exchange {
    async fn once(&mut self) -> Result<Duration> {
        tokio::time::sleep(pause()).await; // paced as what is compared with it: a machine that slept in between wakes up as slowly
        let Self { way, there: (asks, hears), back: (answers, learns) } = self;
        let sent = Instant::now();
        let ended = match way {
            Way::OneWay => tokio::try_join!(asks.publish(), next(hears))?.1,
            Way::RoundTrip => {
                let answered = async {
                    next(hears).await?;
                    answers.publish().await
                };
                tokio::try_join!(asks.publish(), answered, next(learns))?.2
            }
        };
        Ok(ended.saturating_duration_since(sent))
    }
}

/// When a message was heard.
async fn next(subscriber: &mut PubSub) -> Result<Instant> {
    subscriber.on_message().next().await.context("the subscription ended")?;
    Ok(Instant::now())
}

impl Work for Exchange {
    async fn begin(&mut self) -> Result<(), Failure> {
        for (publisher, subscriber) in [&mut self.there, &mut self.back] {
            subscriber.subscribe(&publisher.topic).await.map_err(|e| Failure(e.to_string()))?;
        }
        Ok(())
    }

    async fn step(&mut self) -> Step {
        self.once().await.map_or_else(|e| Step::Failed(Failure(e.to_string())), Step::Done)
    }
}

impl Bench {
    /// As many at a time as there are pairs of a wake-up.
    pub(super) async fn bare_pub_sub(&self, way: Way) -> Result<Measured> {
        let client = Client::open(self.redis.redis_url())?;
        let end = async |topic: String| {
            let publisher = Publisher { topic, connection: client.get_multiplexed_async_connection().await? };
            anyhow::Ok((publisher, client.get_async_pubsub().await?))
        };
        let mut exchanges = Vec::new();
        for i in 0..self.pairs() {
            exchanges.push(Exchange { way, there: end(format!("there:{i}")).await?, back: end(format!("back:{i}")).await? });
        }
        let name = match way {
            Way::OneWay => "pub/sub, one way",
            Way::RoundTrip => "pub/sub, round trip",
        };
        drive(name, exchanges, self.round(), &[]).await
    }
}
