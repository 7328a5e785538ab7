//! Two replicas on one Redis are up, and a client cannot tell which of them it talks to.

use crate::support::fleet::Fleet;

#[tokio::test]
async fn both_replicas_are_healthy() {
    let fleet = Fleet::start(2).await;
    for replica in 0..2 {
        let health = fleet.client_on(replica).get("/health").await.ok(200);
        assert_eq!(health["status"], "ok");
        assert_eq!(health["api_version"], "1.0");
        assert!(health.get("version").is_none(), "the version is for /status: {health}");
        fleet.client_on(replica).get("/livez").await.has_status(200);
        fleet.client_on(replica).get("/readyz").await.has_status(200);
    }
    fleet.finish().await;
}
