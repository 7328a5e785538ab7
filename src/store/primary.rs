//! Behind sentinels: which server is the primary, by the newest word of all of them, and when that has changed.
//!
//! A primary that dies breaks its connections, and whoever connects again asks. One that is replaced in a planned failover does not: for
//! some ten seconds it goes on taking writes that are lost, until sentinels make a replica of it. So they are asked all the time.

use std::collections::HashMap;
use std::time::Duration;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{AsyncConnectionConfig, Client, ErrorKind, Pipeline, RedisError, Value, cmd, from_redis_value};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::connect::{CONNECT_TIMEOUT, client_of};
use super::target::{Endpoint, Kind, RedisTarget};

/// How often sentinels are asked whether there is another primary.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Longest time a sentinel may take, connecting included.
const ANSWER_WITHIN: Duration = Duration::from_millis(900);
/// Once one of them has answered, the others have so long: one that says nothing must not hold up everybody.
const OTHERS_WITHIN: Duration = Duration::from_millis(100);

/// What a sentinel says: where the primary is, and in which configuration that became true. Each failover has a higher one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub host: String,
    pub port: u16,
    epoch: u64,
}

impl Named {
    /// Whether this is another server than the one that was named before, and named later.
    pub fn follows(&self, before: &Self) -> bool {
        self.epoch > before.epoch && (&self.host, self.port) != (&before.host, before.port)
    }
}

/// What sentinels say of the primary; None where there are none.
pub(super) type Word = Option<watch::Receiver<Option<Named>>>;

/// A primary that sentinels named.
pub(super) struct Primary {
    client: Client,
    pub named: Named,
}

impl Primary {
    pub async fn connect(&self, config: &AsyncConnectionConfig) -> Result<MultiplexedConnection, RedisError> {
        self.client.get_multiplexed_async_connection_with_config(config).await
    }
}

/// Who the sentinels say is the primary, and says so itself. Of different words the newest counts.
pub(super) async fn find_primary(target: &RedisTarget) -> Result<Primary, RedisError> {
    let (sentinels, service) = sentinels_of(target)?;
    let mut refused = RedisError::from((ErrorKind::MasterNameNotFoundBySentinel, "no sentinel names a primary"));
    let answers = sentinels.iter().map(|sentinel| async {
        let mut connection = connect(sentinel, target).await?;
        ask(&mut connection, service).await
    });
    for named in newest_first(answers, &mut refused).await {
        match confirmed(&named, target).await {
            Ok(client) => return Ok(Primary { client, named }),
            Err(e) => refused = e,
        }
    }
    Err(refused)
}

/// Goes on asking, and shows the newest word that was heard; None where there are no sentinels. It ends with the handle.
pub(super) fn watch_primary(target: &RedisTarget) -> Option<(watch::Receiver<Option<Named>>, AbortOnDropHandle<()>)> {
    sentinels_of(target).ok()?;
    let (show, shown) = watch::channel(None);
    Some((shown, AbortOnDropHandle::new(tokio::spawn(keep_asking(target.clone(), show)))))
}

/// Returns when sentinels name a server that has followed this one; never where there are none.
pub(super) async fn replaced(word: Option<&mut watch::Receiver<Option<Named>>>, used: Option<&Named>) {
    if let (Some(word), Some(used)) = (word, used)
        && word.wait_for(|now| now.as_ref().is_some_and(|now| now.follows(used))).await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

async fn keep_asking(target: RedisTarget, show: watch::Sender<Option<Named>>) {
    let Ok((sentinels, service)) = sentinels_of(&target) else { return };
    let mut connections: Vec<Option<MultiplexedConnection>> = vec![None; sentinels.len()];
    let mut ticks = interval(ASK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let mut refused = RedisError::from((ErrorKind::MasterNameNotFoundBySentinel, "no sentinel names a primary"));
        let answers = connections.iter_mut().zip(sentinels).map(|(kept, sentinel)| {
            let target = &target;
            async move {
                let mut connection = match kept.take() {
                    Some(connection) => connection,
                    None => connect(sentinel, target).await?,
                };
                let named = ask(&mut connection, service).await?;
                *kept = Some(connection); // only one that has answered is used again
                Ok(named)
            }
        });
        if let Some(newest) = newest_first(answers, &mut refused).await.into_iter().next() {
            show.send_if_modified(|shown| {
                let is_new = shown.as_ref() != Some(&newest);
                *shown = Some(newest);
                is_new
            });
        }
    }
}

/// What was answered in time, the newest word first, each server once.
async fn newest_first<F>(answers: impl Iterator<Item = F>, refused: &mut RedisError) -> Vec<Named>
where
    F: Future<Output = Result<Named, RedisError>>,
{
    let mut answers: FuturesUnordered<F> = answers.collect();
    let mut until = Instant::now() + ANSWER_WITHIN;
    let mut all = Vec::new();
    loop {
        tokio::select! {
            biased;
            answer = answers.next() => match answer {
                Some(Ok(named)) => {
                    if all.is_empty() {
                        until = until.min(Instant::now() + OTHERS_WITHIN);
                    }
                    all.push(named);
                }
                Some(Err(e)) => *refused = e,
                None => break,
            },
            () = sleep_until(until) => break,
        }
    }
    all.sort_by_key(|named| std::cmp::Reverse(named.epoch));
    let mut seen = Vec::new();
    all.retain(|named| {
        let address = (named.host.clone(), named.port);
        let is_new = !seen.contains(&address);
        seen.push(address);
        is_new
    });
    all
}

fn sentinels_of(target: &RedisTarget) -> Result<(&[Endpoint], &str), RedisError> {
    match target.kind() {
        Kind::Sentinel { sentinels, service, .. } => Ok((sentinels, service)),
        _ => Err(RedisError::from((ErrorKind::InvalidClientConfig, "not a sentinel target"))),
    }
}

fn within(limit: Duration) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_connection_timeout(Some(limit)).set_response_timeout(Some(limit))
}

async fn connect(sentinel: &Endpoint, target: &RedisTarget) -> Result<MultiplexedConnection, RedisError> {
    client_of(sentinel, target)?.get_multiplexed_async_connection_with_config(&within(ANSWER_WITHIN)).await
}

/// Where the primary is, by `GET-MASTER-ADDR-BY-NAME`: in a failover it names the new one as soon as that has taken over, `MASTER` only when
/// replicas follow it. The latter knows the number of the configuration, which one that may not be asked for it does not tell: the lowest.
async fn ask(connection: &mut MultiplexedConnection, service: &str) -> Result<Named, RedisError> {
    let mut both = Pipeline::with_capacity(2);
    both.cmd("SENTINEL").arg("MASTER").arg(service).cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(service);
    let mut answers = connection.send_packed_commands(&both, 0, 2).await?.into_iter().map(Value::extract_error);
    let about = answers.next().unwrap_or(Ok(Value::Nil)).and_then(|about| Ok(from_redis_value::<HashMap<String, String>>(about)?));
    let epoch = about.ok().and_then(|about| about.get("config-epoch")?.parse().ok()).unwrap_or(0);
    let address: Option<(String, u16)> = from_redis_value(answers.next().unwrap_or(Ok(Value::Nil))?)?;
    let Some((host, port)) = address else {
        return Err(RedisError::from((ErrorKind::MasterNameNotFoundBySentinel, "the sentinel does not know this name")));
    };
    Ok(Named { host, port, epoch })
}

/// The way to a server that takes itself for a primary.
async fn confirmed(named: &Named, target: &RedisTarget) -> Result<Client, RedisError> {
    let client = client_of(&target.server(&named.host, named.port), target)?;
    let role = async {
        let mut connection = client.get_multiplexed_async_connection_with_config(&within(CONNECT_TIMEOUT)).await?;
        cmd("ROLE").query_async::<Vec<Value>>(&mut connection).await
    };
    let role = timeout(CONNECT_TIMEOUT, role).await.map_err(|_| RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut)))??;
    if role.first().is_some_and(|word| matches!(from_redis_value::<String>(word.clone()).as_deref(), Ok("master"))) {
        return Ok(client);
    }
    Err(RedisError::from((ErrorKind::MasterNameNotFoundBySentinel, "the server that sentinels name is no primary")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(port: u16, epoch: u64) -> Named {
        Named { host: "10.0.0.1".to_owned(), port, epoch }
    }

    /// None: it says nothing.
    async fn ordered(answers: &[Option<Named>]) -> Vec<Named> {
        let mut refused = RedisError::from((ErrorKind::Client, "nobody"));
        let answers = answers.iter().cloned().map(|named| async move {
            match named {
                Some(named) => Ok(named),
                None => std::future::pending().await,
            }
        });
        newest_first(answers, &mut refused).await
    }

    #[tokio::test]
    async fn the_newest_word_counts_and_who_says_nothing_is_not_waited_for() {
        assert_eq!(ordered(&[Some(named(1, 3)), Some(named(2, 4)), Some(named(1, 3))]).await, [named(2, 4), named(1, 3)]);
        // The least of five: this process may have to wait for its turn.
        let mut least = Duration::MAX;
        for _ in 0..5 {
            let began = Instant::now();
            assert_eq!(ordered(&[None, Some(named(1, 3)), None]).await, [named(1, 3)]);
            least = least.min(began.elapsed());
        }
        assert!(least < ANSWER_WITHIN, "{least:?}");
        assert_eq!(ordered(&[None, None]).await, []);
    }

    #[test]
    fn an_old_word_moves_nobody() {
        assert!(named(2, 4).follows(&named(1, 3)));
        assert!(!named(2, 3).follows(&named(1, 3)), "one server under two names");
        assert!(!named(1, 2).follows(&named(2, 3)), "a sentinel that was cut off");
        assert!(!named(1, 4).follows(&named(1, 3)), "a failover that was given up");
    }
}
