//! `POST /v1/admin/minting`: the operator opens and closes the door for the whole fleet.

use serde_json::{Value, json};

use crate::support::fleet::Fleet;
use crate::support::process::unique;

const TOKEN: &str = "operator-token-7";

#[tokio::test]
async fn minting_closes_and_opens_on_every_replica_at_once_and_stays_so_over_restarts() {
    let fleet = Fleet::builder().env("BACKCHANNEL_ADMIN_TOKEN", TOKEN).start().await;
    let set = |replica: usize, enabled: Value| {
        fleet.client_on(replica).post("/v1/admin/minting", json!({ "enabled": enabled })).header("X-Admin-Token", TOKEN)
    };
    let mint = |replica: usize| fleet.client_on(replica).post("/v1/keys", json!({ "agent_label": unique() }));
    let shown = async |replica: usize| fleet.client_on(replica).get("/health").await.ok(200)["public_minting_enabled"].clone();
    let agent = fleet.agent("early").await;

    for wrong in ["", "operator-token", "operator-token-77", "OPERATOR-TOKEN-7"] {
        let ask = fleet.client().post("/v1/admin/minting", json!({ "enabled": false }));
        ask.header("X-Admin-Token", wrong).await.refused(401, "admin_unauthorized");
    }
    fleet.client().post("/v1/admin/minting", json!({ "enabled": false })).await.refused(401, "admin_unauthorized");
    agent.post("/v1/admin/minting", json!({ "enabled": false })).await.refused(401, "admin_unauthorized");
    for nonsense in [json!("false"), json!(0), json!(null), json!([]), json!({})] {
        assert_eq!(set(0, nonsense).await.refused(422, "invalid_field")["field"], "enabled");
    }
    let ask = fleet.client().post("/v1/admin/minting", json!({})).header("X-Admin-Token", TOKEN);
    assert_eq!(ask.await.refused(422, "invalid_field")["field"], "enabled");
    mint(0).await.ok(201);

    for round in 0..3 {
        let (here, there) = (round % 2, (round + 1) % 2);
        assert_eq!(set(here, json!(false)).await.ok(200), json!({ "public_minting_enabled": false }));
        mint(there).await.refused(403, "minting_closed");
        mint(here).await.refused(403, "minting_closed");
        assert_eq!((shown(here).await, shown(there).await), (json!(false), json!(false)));
        assert_eq!(set(there, json!(true)).await.ok(200), json!({ "public_minting_enabled": true }));
        mint(here).await.ok(201);
        assert_eq!((shown(here).await, shown(there).await), (json!(true), json!(true)));
    }

    set(0, json!(false)).await.ok(200);
    fleet.restart(0).await;
    fleet.restart(1).await;
    for replica in 0..2 {
        mint(replica).await.refused(403, "minting_closed");
        assert_eq!(shown(replica).await, json!(false));
        agent.on(replica).get("/v1/keys/me").await.ok(200);
    }
    set(1, json!(true)).await.ok(200);
    mint(0).await.ok(201);
    fleet.finish().await;
}

#[tokio::test]
async fn without_a_token_the_admin_operations_are_off() {
    let fleet = Fleet::builder().replicas(1).env("BACKCHANNEL_ADMIN_TOKEN", "").start().await;
    for token in ["", "x", "null"] {
        let ask = fleet.client().post("/v1/admin/minting", json!({ "enabled": false })).header("X-Admin-Token", token);
        ask.await.refused(403, "admin_disabled");
    }
    fleet.client().post("/v1/admin/minting", json!({ "enabled": false })).await.refused(403, "admin_disabled");
    assert_eq!(fleet.client().get("/health").await.ok(200)["public_minting_enabled"], true);
    fleet.finish().await;
}
