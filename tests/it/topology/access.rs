//! How the service comes to Redis: TLS, an ACL user with the rights that are documented, a password in a file, a key prefix.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::redis::{Client as RedisClient, RedisResult, cmd};
use serde_json::json;

use super::SOON;
use super::cluster::Cluster;
use super::core::core;
use super::sentinels::Sentinels;
use crate::support::client::{Client, Routes};
use crate::support::fleet::{Builder, Fleet, without_surroundings};
use crate::support::process::{Process, free_port};
use crate::support::redis::RedisServer;
use crate::support::tls::Tls;
use crate::support::wait::eventually;

const PASSWORD: &str = "p@ss: 'w%rd/\\#?\" ü";
const USER: &str = "backchannel";

/// What the documents say that the user needs, as words for `ACL SETUSER`.
fn documented_rights() -> Vec<String> {
    let text = include_str!("../../../docs/reliability.md");
    let line = text.lines().find_map(|line| line.strip_prefix("user backchannel on ")).expect("docs/reliability.md has the ACL line");
    line.split(' ').filter(|word| !word.starts_with('>')).map(str::to_owned).collect()
}

/// A server that speaks TLS and knows the user.
struct Guarded {
    server: Arc<RedisServer>,
    tls: Tls,
    port: u16,
}

impl Guarded {
    fn start() -> Self {
        let (tls, port) = (Tls::new(), free_port());
        let args = tls.args(port);
        let server = RedisServer::start_private(&args.iter().map(String::as_str).collect::<Vec<_>>());
        let password = format!(">{PASSWORD}");
        let rights = documented_rights();
        let mut words = vec!["ACL", "SETUSER", USER, "on", &password];
        words.extend(rights.iter().map(String::as_str));
        let _: () = server.run(&words);
        fs::write(tls.dir().join("password"), format!("{PASSWORD}\n")).expect("the scratch directory can be written to");
        Self { server, tls, port }
    }

    fn url(&self) -> String {
        format!("rediss://{USER}@127.0.0.1:{}/0", self.port)
    }

    fn fleet(&self) -> Builder {
        Fleet::builder()
            .redis(&self.server)
            .prefix("bc:")
            .env("BACKCHANNEL_REDIS_URL", &self.url())
            .env("BACKCHANNEL_REDIS_TLS_CA_FILE", &self.tls.authority())
            .env("BACKCHANNEL_REDIS_PASSWORD_FILE", &self.tls.dir().join("password").display().to_string())
    }
}

#[tokio::test]
async fn the_core_works_over_tls_as_a_user_with_the_documented_rights_and_a_password_from_a_file() {
    let redis = Guarded::start();
    let fleet = redis.fleet().start().await;
    core(&fleet).await;
    let clients: String = redis.server.run(&["CLIENT", "LIST"]);
    let ours = clients.lines().filter(|line| line.contains(" user=backchannel ")).count();
    assert!(ours >= 2 * 2, "a lane and a subscriber each: {clients}");
    fleet.finish().await;
    let denied: Vec<Vec<deadpool_redis::redis::Value>> = redis.server.run(&["ACL", "LOG"]);
    assert!(denied.is_empty(), "something was asked for that the documents do not name: {denied:?}");
}

#[test]
fn the_documented_rights_are_for_the_prefix_and_for_nothing_that_endangers_others() {
    let redis = Guarded::start();
    let client = RedisClient::open(redis.server.plain_url()).expect("a loopback URL is valid");
    let mut connection = client.get_connection().expect("it runs");
    let _: () = cmd("AUTH").arg(USER).arg(PASSWORD).query(&mut connection).expect("the user is known");
    let mut may = |words: &[&str]| {
        let answer: RedisResult<deadpool_redis::redis::Value> = cmd(words[0]).arg(&words[1..]).query(&mut connection);
        !matches!(answer, Err(e) if e.code() == Some("NOPERM"))
    };
    assert!(may(&["HGET", "bc:{ch_a}:meta", "name"]) && may(&["SPUBLISH", "bc:{ch_a}:wake", "1"]));
    for other in [["HGET", "other:{ch_a}:meta", "name"], ["SPUBLISH", "other:{ch_a}:wake", "1"], ["SSUBSCRIBE", "other", ""]] {
        assert!(!may(&other), "{other:?}");
    }
    for dangerous in [&["FLUSHALL"][..], &["KEYS", "bc:*"], &["CONFIG", "GET", "*"], &["ACL", "LIST"], &["CLIENT", "LIST"], &["MONITOR"]] {
        assert!(!may(dangerous), "{dangerous:?}");
    }
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_not_believed() {
    let redis = Guarded::start();
    let log = redis.tls.dir().join("replica.log");
    let port = free_port();
    let mut command = Command::new(env!("CARGO_BIN_EXE_backchannel"));
    command.arg("serve");
    without_surroundings(&mut command);
    let other = Tls::new();
    command
        .env("BACKCHANNEL_HOST", "127.0.0.1")
        .env("BACKCHANNEL_PORT", port.to_string())
        .env("BACKCHANNEL_REDIS_URL", redis.url())
        .env("BACKCHANNEL_REDIS_TLS_CA_FILE", other.authority())
        .env("BACKCHANNEL_REDIS_PASSWORD_FILE", redis.tls.dir().join("password"));
    let _replica = Process::start(command, &log).expect("the binary was built with the tests");
    let client = Client::new(Arc::new(Routes::new(vec![port])));
    eventually("the log names the reason", SOON, || async {
        fs::read_to_string(&log).is_ok_and(|log| log.contains("invalid peer certificate"))
    })
    .await;
    let said = fs::read_to_string(&log).unwrap_or_default();
    assert!(!said.contains(PASSWORD) && !said.contains("p%40ss"), "{said}");
    eventually("it is alive", SOON, || async { client.get("/livez").attempt().await.is_ok_and(|reply| reply.status == 200) }).await;
    client.get("/startupz").within(Duration::from_secs(30)).await.has_status(503);
}

#[tokio::test]
async fn two_prefixes_on_one_redis_are_two_instances() {
    let redis = RedisServer::start_private(&[]);
    let (one, two) = tokio::join!(
        Fleet::builder().redis(&redis).prefix("tenant-1.bus:").start(),
        Fleet::builder().redis(&redis).prefix("tenant-1.bus:x:").start()
    );
    let agent = one.agent("agent").await;
    let channel = agent.channel_with(json!({ "name": "here", "mode": "claimable", "discoverable": true })).await;
    two.client().with_key(&agent.key).get("/v1/keys/me").await.refused(401, "unauthorized");
    let stranger = two.agent("stranger").await;
    stranger.get(&format!("/v1/channels/{channel}")).await.refused(404, "channel_not_found");
    assert_eq!(stranger.get("/v1/channels").await.ok(200)["data"], json!([]));
    let keys: Vec<String> = redis.run(&["KEYS", "*"]);
    assert!(keys.iter().all(|key| key.starts_with("tenant-1.bus:")), "{keys:?}");
    one.abandon(); // what it may leave behind cannot be told from what the other one needs
    two.finish().await;
}

#[tokio::test]
async fn sentinels_and_their_servers_may_speak_tls() {
    let tls = Tls::new();
    hands_over(Sentinels::start_with_tls(&tls).fleet(), &tls).await;
}

#[tokio::test]
async fn a_cluster_may_speak_tls() {
    let tls = Tls::new();
    hands_over(Cluster::start_with_tls(&tls).fleet(), &tls).await;
}

/// A few channels, so that several servers of a cluster are met; whoever waits is woken.
async fn hands_over(fleet: Builder, tls: &Tls) {
    let fleet = fleet.env("BACKCHANNEL_REDIS_TLS_CA_FILE", &tls.authority()).start().await;
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    for _ in 0..4 {
        let channel = poster.channel("claimable").await;
        let waiter = tokio::spawn(worker.on(1).claim_next(&channel, json!({ "wait": 25 })).into_future());
        eventually("it waits", SOON, || async { fleet.subscribers(&channel) == 1 }).await;
        let message = poster.on(0).post_message(&channel, "over TLS").await;
        let got = tokio::time::timeout(SOON, waiter).await.expect("it sleeps on").unwrap().ok(200);
        assert_eq!(got["claimed"]["id"], json!(message));
    }
    fleet.finish().await;
}
