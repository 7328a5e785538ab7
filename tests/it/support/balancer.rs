//! One address in front of several replicas: each connection goes to the next one, as behind a load balancer without affinity.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::fleet::Fleet;

/// Ends when it is dropped.
pub struct Balancer {
    url: String,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Balancer {
    /// In front of all replicas of the fleet.
    pub async fn start(fleet: &Fleet) -> Self {
        let replicas: Vec<String> = (0..fleet.size()).map(|replica| fleet.url(replica).replace("http://", "")).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let task = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let turn = counted.fetch_add(1, Ordering::SeqCst);
                let replica = replicas[turn % replicas.len()].clone();
                tokio::spawn(async move {
                    let Ok(mut server) = TcpStream::connect(replica).await else { return };
                    let _ = copy_bidirectional(&mut client, &mut server).await; // either may hang up
                });
            }
        });
        Self { url, connections, task }
    }

    /// `http://127.0.0.1:<port>`: the one URL that clients know.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How many connections it has passed on.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
