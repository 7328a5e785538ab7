//! Who waits is not asked about its key when it is woken, as long as no change of it was announced. What must hold then: a key that was
//! revoked or narrowed gets nothing a second later, whatever died or was lost on the way.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::client::Agent;
use crate::support::count::Count;
use crate::support::cut::{Cut, Part};
use crate::support::fleet::Fleet;
use crate::support::process::scratch;
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;

/// What nobody who still had a right to it would wait for.
const WAIT: u64 = 20;

/// A script as one replica runs it in place of the real one.
fn instead_of(script: &str, text: &str) -> String {
    let dir: PathBuf = scratch().join(format!("instead-of-{}", script.replace('/', "-")));
    let file = dir.join(format!("{script}.lua"));
    fs::create_dir_all(file.parent().expect("it has a folder")).expect("the scratch directory can be written to");
    fs::write(file, text).expect("the scratch directory can be written to");
    dir.display().to_string()
}

/// Announces nothing: what a replica announced was lost by Redis.
const FORGOTTEN: &str = "--[[\n@slot fleet\n@key changes stream\n@arg key text\n@ok announced\n]]\n--- @include lib/answer\n\
                         return ok('announced')\n";

/// Reads, as a replica does that was held up for five seconds between that and the change: always, or the first time only.
const HELD_UP: &str = "--[[\n@slot key\n@key record hash\n@ok active\n@ok revoked\n]]\n--- @include lib/answer\n\
                       local stuck = string.find(redis.call('HGET', record, 'label'), 'stuck')\n\
                       if redis.call('HINCRBY', record, 'asked', 1) == 1 or stuck then now = now - 5000000 end\n\
                       return ok('active')\n";

/// Waits until all replicas hear of changed keys: who waits at one that has just begun to hear is asked about its key.
async fn all_listen(fleet: &Fleet) {
    let topic = format!("{}{{fleet}}:keys-changed", fleet.prefix());
    eventually("all replicas listen", Duration::from_secs(10), || async {
        fleet.redis().run::<(String, usize)>(&["PUBSUB", "SHARDNUMSUB", &topic]).1 == fleet.size()
    })
    .await;
    sleep(Duration::from_millis(100)).await; // and have taken note of it
}

/// A key is revoked and one narrowed by replica 0, which dies before it tells, while both wait at replica 1 with a third one. `meanwhile`
/// follows the changes. A second later a message comes.
async fn changed_and_not_told(fleet: &Fleet, cut: &Cut, meanwhile: impl FnOnce()) {
    all_listen(fleet).await;
    let (leaving, narrowed, staying) = (fleet.agent("leaving").await, fleet.agent("narrowed").await, fleet.agent("staying").await);
    let channel = staying.channel("claimable").await;
    let list = |agent: &Agent| tokio::spawn(agent.on(1).list(&channel, &format!("wait={WAIT}")).into_future());
    let waiting = [list(&leaving), list(&staying)];
    let taking = tokio::spawn(narrowed.on(1).claim_next(&channel, json!({ "wait": WAIT })).into_future());
    eventually("they wait", Duration::from_secs(15), || async { fleet.metric(1, "backchannel_waiters").await == Some(3.0) }).await;
    sleep(Duration::from_millis(1500)).await; // what was known of their keys is too old, and announcements were looked for

    let before = cut.lost();
    cut.lose(Part::Request, "keys-changed", 1000);
    leaving.on(0).delete("/v1/keys/me").await.ok(200);
    narrowed.on(0).put("/v1/keys/me/scopes", json!({ "scopes": ["messages:read"] })).await.ok(200);
    assert_eq!(cut.lost() - before, 2, "nobody was told");
    fleet.kill9(0);
    meanwhile();
    sleep(Duration::from_secs(1)).await;

    let message = staying.on(1).post_message(&channel, "not for all").await;
    let [left, stayed] = waiting;
    left.await.unwrap().refused(401, "unauthorized");
    taking.await.unwrap().refused(403, "insufficient_scope");
    assert_eq!(stayed.await.unwrap().ok(200)["data"][0]["id"], json!(message));
    staying.on(1).claim(&message).await.ok(200);
}

#[tokio::test]
async fn a_change_that_nobody_told_of_is_noticed_within_a_second() {
    let redis = RedisServer::start_private(&[]);
    let cut = Cut::before(&redis);
    let fleet = Fleet::builder().redis(&redis).start().await;
    fleet.restart_with(0, &[("BACKCHANNEL_REDIS_URL", &cut.url())]).await;
    changed_and_not_told(&fleet, &cut, || {}).await;

    // Also where the announcement was lost with all others.
    cut.pass();
    let lua = instead_of("api_keys/announce", FORGOTTEN);
    fleet.restart_with(0, &[("BACKCHANNEL_REDIS_URL", &cut.url()), ("BACKCHANNEL_TEST_LUA_DIR", &lua)]).await;
    let announcements = format!("{}{{fleet}}:changes", fleet.prefix());
    changed_and_not_told(&fleet, &cut, || {
        assert_eq!(redis.run::<i64>(&["DEL", &announcements]), 1, "there were some before");
    })
    .await;
    fleet.finish().await;
}

#[tokio::test]
async fn a_replica_that_was_frozen_meanwhile_gives_nothing_to_who_waits_there() {
    let redis = RedisServer::start_private(&[]);
    let cut = Cut::before(&redis);
    let fleet = Fleet::builder().redis(&redis).start().await;
    fleet.restart_with(0, &[("BACKCHANNEL_REDIS_URL", &cut.url())]).await;
    all_listen(&fleet).await;
    let (leaving, poster) = (fleet.agent("leaving").await, fleet.agent("poster").await);
    let channel = poster.channel("claimable").await;
    let waiting = tokio::spawn(leaving.on(1).list(&channel, &format!("wait={WAIT}")).into_future());
    eventually("it waits", Duration::from_secs(15), || async { fleet.metric(1, "backchannel_waiters").await == Some(1.0) }).await;
    sleep(Duration::from_millis(1500)).await;

    fleet.freeze(1);
    cut.lose(Part::Request, "keys-changed", 1000);
    leaving.on(0).delete("/v1/keys/me").await.ok(200);
    assert_eq!(cut.lost(), 1, "nobody was told");
    poster.on(0).post_message(&channel, "not for who left").await;
    sleep(Duration::from_millis(1200)).await;
    fleet.thaw(1); // the wake-up is there, and the last look was made before the revocation
    waiting.await.unwrap().refused(401, "unauthorized");
    fleet.finish().await;
}

/// Replica 0 is frozen between announcing and changing, for so long that the other one, which has checked the key since, may forget what was
/// announced. When it goes on it must announce again before it changes anything.
#[tokio::test]
async fn a_replica_that_froze_between_announcing_and_changing_announces_again() {
    let redis = RedisServer::start_private(&[]);
    let cut = Cut::before(&redis);
    let builder = Fleet::builder().redis(&redis).env("BACKCHANNEL_REDIS_TIMEOUT_MS", "20000");
    let fleet = builder.env("BACKCHANNEL_LONGPOLL_MAX_WAIT_SECONDS", "50").start().await;
    fleet.restart_with(0, &[("BACKCHANNEL_REDIS_URL", &cut.url())]).await;
    all_listen(&fleet).await;
    let poster = fleet.agent("poster").await;
    // A busy machine may freeze it too late, when it has changed the key already: then again, with another key.
    for _ in 0..5 {
        if froze_in_between(&fleet, &cut, &poster).await {
            fleet.finish().await;
            return;
        }
    }
    panic!("the replica was never frozen between the two");
}

/// False: it was frozen too late.
async fn froze_in_between(fleet: &Fleet, cut: &Cut, poster: &Agent) -> bool {
    let leaving = fleet.agent("leaving").await;
    let channel = poster.channel("claimable").await;
    let waiting = tokio::spawn(leaving.on(1).list(&channel, "wait=45").into_future());
    eventually("it waits", Duration::from_secs(15), || async { fleet.metric(1, "backchannel_waiters").await == Some(1.0) }).await;

    let stream = format!("{}{{fleet}}:changes", fleet.prefix());
    let announced = || {
        let entries: Vec<(String, Vec<String>)> = fleet.redis().run(&["XRANGE", &stream, "-", "+"]);
        entries.iter().filter(|(_, fields)| fields.contains(&leaving.key_id)).count()
    };
    let before = cut.lost();
    cut.delay(Duration::from_millis(400));
    let revoking = tokio::spawn(leaving.on(0).delete("/v1/keys/me").within(Duration::from_secs(60)).into_future());
    eventually("it is announced", Duration::from_secs(20), || async { announced() == 1 }).await;
    fleet.freeze(0); // what Redis answered is still on its way
    cut.pass();
    cut.lose(Part::Request, "keys-changed", 1000);
    sleep(Duration::from_millis(6500)).await;
    let in_between = leaving.on(1).get("/v1/keys/me").await.status == 200;
    assert_eq!(announced(), 1);
    fleet.thaw(0);
    revoking.await.unwrap().ok(200);
    if in_between {
        assert_eq!((announced(), cut.lost() - before), (2, 1), "announced again, and nobody was told");
    }
    cut.pass();
    sleep(Duration::from_secs(1)).await;
    poster.on(1).post_message(&channel, "not for who left").await;
    waiting.await.unwrap().refused(401, "unauthorized");
    in_between
}

#[tokio::test]
async fn a_change_that_comes_too_late_after_its_announcement_is_announced_again_or_not_made() {
    let fleet = Fleet::start(1).await;
    let lua = instead_of("webhooks/key_is_active", HELD_UP);
    fleet.restart_with(0, &[("BACKCHANNEL_TEST_LUA_DIR", &lua)]).await;
    let (leaving, stuck) = (fleet.agent("leaving").await, fleet.agent("stuck").await);
    let stream = format!("{}{{fleet}}:changes", fleet.prefix());
    let announced = || fleet.redis().run::<u64>(&["XLEN", &stream]);
    leaving.delete("/v1/keys/me").await.ok(200);
    assert_eq!(announced(), 2, "what came late was announced once more");
    stuck.put("/v1/keys/me/scopes", json!({ "scopes": [] })).await.refused(503, "storage_unavailable");
    stuck.delete("/v1/keys/me").await.refused(503, "storage_unavailable");
    assert_eq!(announced(), 8);
    assert_eq!(stuck.get("/v1/keys/me").await.ok(200)["scopes"], Value::Null, "nothing has changed");
    fleet.finish().await;
}

#[tokio::test]
async fn who_is_woken_asks_about_its_key_only_if_a_change_was_announced() {
    let redis = RedisServer::start_private(&[]);
    let fleet = Fleet::builder().redis(&redis).replicas(1).start().await;
    all_listen(&fleet).await;
    let poster = fleet.agent("poster").await;
    let mut readers = Vec::new();
    for _ in 0..16 {
        readers.push(fleet.agent("reader").await);
    }
    let channel = poster.channel("broadcast").await;
    poster.post_message(&poster.channel("broadcast").await, "so that Redis has the script").await;
    let mut cursor = "0".to_owned();
    // What a post that wakes all of them costs besides itself: it comes with the wake-up.
    let mut wakes = async |meanwhile: &dyn Fn()| {
        let ask = format!("cursor={cursor}&wait={WAIT}");
        let waiting: Vec<_> = readers.iter().map(|reader| tokio::spawn(reader.list(&channel, &ask).into_future())).collect();
        eventually("they wait", Duration::from_secs(15), || async { fleet.metric(0, "backchannel_waiters").await == Some(16.0) }).await;
        sleep(Duration::from_millis(1100)).await;
        meanwhile();
        sleep(Duration::from_millis(1000)).await; // a look from before that counts no more
        poster.get("/v1/keys/me").await.ok(200);
        let count = Count::start(&redis);
        let posted = poster.post_message(&channel, "news").await;
        for waiter in waiting {
            let page = waiter.await.unwrap().ok(200);
            assert_eq!(page["data"][0]["id"], json!(posted));
            cursor = page["next_cursor"].as_str().unwrap().to_owned();
        }
        count.scripts_of_requests(1) - 1
    };
    // On a busy machine the poster's key may have to be looked at again, after all.
    let costs = |scripts: u64, least: u64, why: &str| assert!((least..=least + 2).contains(&scripts), "{why}: {scripts} scripts");
    costs(wakes(&|| {}).await, 0, "nobody");
    // Announced, and then the replica that meant to change it died.
    let stream = format!("{}{{fleet}}:changes", fleet.prefix());
    let announce = |key: &str| assert!(!redis.run::<String>(&["XADD", &stream, "*", "k", key]).is_empty());
    let named = readers[7].key_id.clone();
    costs(wakes(&|| announce(&named)).await, 1, "that key once");
    // Where it is not known what was announced, all are asked about, once each.
    costs(wakes(&|| assert_eq!(redis.run::<i64>(&["DEL", &stream]), 1)).await, 16, "all");
    fleet.finish().await;
}
