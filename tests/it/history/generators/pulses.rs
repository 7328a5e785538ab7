//! How busy the machine is, as the run itself notices: everybody who has a part in a wake-up is asked for nothing at all, again and
//! again, and the time that takes is written down. A wake-up may take longer by what that shows.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::super::world::World;
use crate::support::fleet::Fleet;

const EVERY: Duration = Duration::from_millis(30);
/// Who does not answer for so long is not busy but broken; that is no excuse. A busy machine has let processes stand for five seconds.
const MOST: Duration = Duration::from_secs(8);

/// Asks until the tasks are aborted.
pub fn feel(fleet: &Fleet, world: &Arc<World>) -> Vec<JoinHandle<()>> {
    let redis = fleet.redis().port();
    let mut tasks = vec![tokio::spawn(harness(world.clone())), tokio::spawn(store(world.clone(), redis))];
    for replica in 0..fleet.size() {
        let (world, client) = (world.clone(), fleet.client_on(replica));
        tasks.push(tokio::spawn(async move {
            loop {
                let alive = async { client.get("/livez").within(MOST).attempt().await.is_ok() };
                world.recorder.pulse("replica", Some(replica), Duration::ZERO, alive).await;
                sleep(EVERY).await;
            }
        }));
    }
    tasks
}

/// How late the generators' own timers are.
async fn harness(world: Arc<World>) {
    loop {
        let slept = async {
            sleep(EVERY).await;
            true
        };
        world.recorder.pulse("harness", None, EVERY, slept).await;
    }
}

async fn store(world: Arc<World>, port: u16) {
    let ping = async || {
        let mut tcp = TcpStream::connect(("127.0.0.1", port)).await?;
        tcp.write_all(b"PING\r\n").await?;
        tcp.read_exact(&mut [0; 7]).await
    };
    loop {
        let heard = async { timeout(MOST, ping()).await.is_ok_and(|pong| pong.is_ok()) };
        world.recorder.pulse("redis", None, Duration::ZERO, heard).await;
        sleep(EVERY).await;
    }
}
