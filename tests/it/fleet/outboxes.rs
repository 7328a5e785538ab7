//! What posts leave to be pushed: exactly when they are written, and where it is looked for; aliases that several want at once.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use backchannel::ids::ChannelId;
use backchannel::store::keyspace::{JOB_QUEUES, OUTBOX_PARTS};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::client::Agent;
use crate::support::fleet::Fleet;
use crate::support::wait::eventually;

const HOOK: &str = "https://hooks.example.com/x";

/// The outbox of a channel, as `[event, number, actor, subject]`.
fn outbox(fleet: &Fleet, channel: &str) -> Vec<[String; 4]> {
    let key = format!("{}{{{channel}}}:outbox", fleet.prefix());
    let entries: Vec<(String, Vec<String>)> = fleet.redis().run(&["XRANGE", &key, "-", "+"]);
    entries.iter().map(|(_, fields)| parts(fields)).collect()
}

/// Of one entry, whose only field joins them; what the event is about may hold separators of its own.
fn parts(fields: &[String]) -> [String; 4] {
    let parts: Vec<String> = fields[1].splitn(4, '\u{1f}').map(str::to_owned).collect();
    parts.try_into().unwrap_or_else(|_| panic!("{fields:?}"))
}

/// What was ever in the outbox of a channel, in the same form: without a worker, what was handed over stays in a queue.
fn told(fleet: &Fleet, channel: &str) -> Vec<[String; 4]> {
    let read = |key: String| fleet.redis().run::<Vec<(String, Vec<String>)>>(&["XRANGE", &key, "-", "+"]);
    let place = |id: &str| id.split_once('-').map(|(ms, n)| (ms.parse::<u64>().unwrap(), n.parse::<u64>().unwrap())).expect("an id");
    // The outbox first: what moves meanwhile is in both places, never in none.
    let waiting = read(format!("{}{{{channel}}}:outbox", fleet.prefix()));
    let mut all: BTreeMap<_, _> = waiting.iter().map(|(id, fields)| (place(id), parts(fields))).collect();
    let entries: Vec<_> = (0..JOB_QUEUES).flat_map(|n| read(format!("{}{{jobs:{n}}}:jobs", fleet.prefix()))).collect();
    for job in entries.iter().flat_map(|(_, fields)| fields[1].split('\u{1e}')) {
        let parts: Vec<&str> = job.splitn(8, '\u{1f}').collect();
        let [delivery, event, target, of, number, _, _, subject] = parts[..] else { panic!("{job:?}") };
        if of == channel {
            let actor = if event == "mention" { target } else { "" };
            let id = place(delivery.rsplit('_').next().expect("an entry"));
            all.insert(id, [event, number, actor, subject].map(str::to_owned));
        }
    }
    all.into_values().collect()
}

/// Channels in the index of outboxes, over all its parts; each in the part that it belongs to.
fn indexed(fleet: &Fleet) -> HashSet<String> {
    let keys = backchannel::store::keyspace::Keyspace::new(fleet.prefix());
    let part = |n: u8| {
        let key = format!("{}{{outboxes:{n}}}:index", fleet.prefix());
        let members: Vec<String> = fleet.redis().run(&["ZRANGE", &key, "0", "-1"]);
        for member in &members {
            let slot = keys.outboxes(&ChannelId::parse(member).expect("a channel"));
            assert_eq!(format!("{slot:?}"), format!("{:?}", keys.outboxes_part(n)), "{member} lies in part {n}");
        }
        members
    };
    (0..OUTBOX_PARTS).flat_map(part).collect()
}

fn number(message: &Value) -> String {
    let id = message["id"].as_str().unwrap();
    id[id.len() - 16..].to_owned()
}

async fn set_hook(agent: &Agent) -> Value {
    let path = format!("/v1/actors/{}", agent.label);
    agent.post(&format!("{path}/webhook"), json!({ "url": HOOK })).await.ok(200);
    agent.get(&path).await.ok(200)["id"].clone()
}

#[tokio::test]
async fn one_of_many_who_want_an_alias_gets_it_and_keeps_it() {
    let fleet = Fleet::start(2).await;
    let agents = join_all((0..6).map(|_| fleet.agent("racer"))).await;
    for round in 0..5 {
        let alias = format!("raced-{round}");
        let replies = join_all(agents.iter().enumerate().flat_map(|(i, agent)| {
            let path = format!("/v1/actors/{}/aliases", agent.label);
            let alias = &alias;
            (0..3).map(move |again| agent.on((i + again) % 2).post(&path, json!({ "alias": alias })).into_future())
        }))
        .await;
        let winner = agents[0].get(&format!("/v1/actors/{alias}")).await.ok(200);
        let won = replies.iter().filter(|reply| reply.status == 201).count();
        assert_eq!(won, 3, "all of one key, none of another");
        for reply in replies {
            let is_winner = reply.status == 201 && reply.body["id"] == winner["id"];
            assert!(is_winner || reply.body["error"] == "alias_conflict", "{}", reply.text);
        }
        let holders =
            join_all(agents.iter().map(|agent| async move { agent.get(&format!("/v1/actors/{}", agent.label)).await.ok(200) })).await;
        let listed = holders.iter().filter(|a| a["aliases"].as_array().unwrap().contains(&json!(alias))).count();
        assert_eq!(listed, 1);
    }
    fleet.finish().await;
}

#[tokio::test]
async fn a_message_that_is_written_is_in_the_outbox_once_however_often_it_is_sent() {
    let fleet = Fleet::start(2).await;
    let (owner, other) = (fleet.agent("owner").await, fleet.agent("other").await);
    let actor = set_hook(&other).await;
    let channel =
        owner.channel_with(json!({ "name": "hooked", "mode": "claimable", "webhook_url": HOOK, "max_writes_per_minute": 6 })).await;
    assert!(indexed(&fleet).contains(&channel), "before the first entry");
    // Each of six requests eight times at once; the seventh is refused.
    let replies = join_all((0..7).flat_map(|request| {
        let (owner, channel, actor) = (&owner, &channel, &actor);
        (0..8).map(move |again| {
            let body = json!({ "content": format!("message {request}"), "mentions": [actor] });
            owner.on(again % 2).post_to(channel, body).once(&format!("r{request}")).into_future()
        })
    }))
    .await;
    let refused = replies.iter().filter(|reply| reply.status == 429).count();
    assert_eq!(refused, 8, "one of the seven, each time it was asked");
    let posted: HashSet<String> = replies.iter().filter(|r| r.status == 201).map(|r| number(&r.body["message"])).collect();
    assert_eq!(posted.len(), 6);
    let entries = told(&fleet, &channel);
    let of = |event: &str| entries.iter().filter(|e| e[0] == event).map(|e| e[1].clone()).collect::<Vec<_>>();
    let (created, mentions) = (of("message.created"), of("mention"));
    assert_eq!((created.len(), mentions.len(), entries.len()), (6, 6, 12));
    assert_eq!((HashSet::from_iter(created), HashSet::from_iter(mentions)), (posted.clone(), posted));
    assert!(entries.iter().filter(|e| e[0] == "mention").all(|e| json!(e[2]) == actor && e[3].is_empty()));

    // The replicas know of each request that wrote something, and of no other.
    let written = || async {
        let of = [fleet.metric(0, "backchannel_outbox_writes_total").await, fleet.metric(1, "backchannel_outbox_writes_total").await];
        of.into_iter().flatten().sum::<f64>()
    };
    eventually("all were handed over", Duration::from_secs(15), || async { written().await == 6.0 }).await;
    owner.delete(&format!("/v1/channels/{channel}")).await.has_status(204);
    assert!(outbox(&fleet, &channel).is_empty() && !indexed(&fleet).contains(&channel), "it is gone with its channel");
    fleet.finish().await;
}

#[tokio::test]
async fn nothing_is_left_in_an_outbox_that_nobody_wants() {
    let fleet = Fleet::start(2).await;
    let (owner, other) = (fleet.agent("owner").await, fleet.agent("other").await);
    let (open, closed) = (owner.channel("claimable").await, owner.restricted("claimable").await);
    let actor = other.get(&format!("/v1/actors/{}", other.label)).await.ok(200)["id"].clone();
    for replica in 0..2 {
        owner.on(replica).post_message(&open, "plain").await;
        owner.on(replica).post_to(&open, json!({ "content": "no webhook", "mentions": [actor] })).await.ok(201);
    }
    set_hook(&other).await;
    for replica in 0..2 {
        owner.on(replica).post_to(&closed, json!({ "content": "a stranger", "mentions": [actor] })).await.ok(201);
    }
    assert!(told(&fleet, &open).is_empty() && told(&fleet, &closed).is_empty());
    assert!(!indexed(&fleet).contains(&open));

    // Where it is wanted: a webhook that was set, on every replica within a second; a member that came and went, from the next request on.
    for replica in 0..2 {
        eventually("the replica has heard of the webhook", Duration::from_secs(15), || async {
            let before = told(&fleet, &open).len();
            let posted = owner.on(replica).post_to(&open, json!({ "content": "told", "mentions": [actor] })).await.ok(201);
            let entries = told(&fleet, &open);
            let expected = ["mention".into(), number(&posted["message"]), actor.as_str().unwrap().to_owned(), String::new()];
            entries.len() == before + 1 && entries[before] == expected
        })
        .await;
    }
    assert!(indexed(&fleet).contains(&open));
    let members = format!("/v1/channels/{closed}/members");
    owner.post(&members, json!({ "key_id": other.key_id })).await.ok(201);
    owner.on(0).post_to(&closed, json!({ "content": "a member", "mentions": [actor] })).await.ok(201);
    assert_eq!(told(&fleet, &closed).len(), 1);
    owner.delete(&format!("{members}/{}", other.key_id)).await.ok(200);
    for replica in 0..2 {
        let posted = owner.on(replica).post_to(&closed, json!({ "content": "put out", "mentions": [actor] })).await.ok(201);
        assert_eq!(posted["message"]["mentions"], json!([]));
    }
    assert_eq!(told(&fleet, &closed).len(), 1, "who was put out is not told");

    // Members that come are told of where the channel has a webhook.
    owner.patch(&format!("/v1/channels/{closed}"), json!({ "webhook_url": HOOK })).await.ok(200);
    for again in ["a", "a", "b"] {
        owner.post(&members, json!({ "key_id": other.key_id })).once(again).await.ok(201);
    }
    let all = told(&fleet, &closed);
    assert_eq!(all[1..], [["member_added".into(), String::new(), String::new(), format!("{}\u{1f}{}", other.key_id, owner.key_id)]]);
    owner.patch(&format!("/v1/channels/{closed}"), json!({ "webhook_url": null })).await.ok(200);
    owner.post_message(&closed, "nobody wants it").await;
    assert_eq!(told(&fleet, &closed).len(), 2);
    fleet.finish().await;
}

#[tokio::test]
async fn the_index_takes_no_channel_that_is_not_there_or_not_the_callers() {
    let fleet = Fleet::start(2).await;
    let (owner, other) = (fleet.agent("owner").await, fleet.agent("other").await);
    let actor = set_hook(&other).await;
    let (open, closed) = (owner.channel("claimable").await, owner.restricted("claimable").await);
    let body = json!({ "content": "x", "mentions": [actor] });
    let absent = "ch_aaaaaaaaaaaaaaaaaaaa";
    other.post_to(absent, body.clone()).await.refused(404, "channel_not_found");
    other.post_to(&closed, body).await.refused(403, "channel_access_denied");
    for (channel, status, code) in [(absent, 404, "channel_not_found"), (&closed, 403, "channel_access_denied"), (&open, 403, "forbidden")]
    {
        other.patch(&format!("/v1/channels/{channel}"), json!({ "webhook_url": HOOK })).await.refused(status, code);
    }
    assert_eq!(indexed(&fleet), HashSet::new());
    fleet.finish().await;
}
