//! Who acts in a run: posters, claimers, readers, and the one who clears up and looks at everything in the end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::record::{Entry, Grant, Op, Outcome, Shown, micros};
use super::world::{CLAIMERS, Dice, World};
use crate::support::client::{Agent, Ask};
use crate::support::fleet::Fleet;

/// What is posted last: a reader that has seen it has seen all.
pub const LAST: &str = "the last one";
/// Of a request that does not wait: less than a replica stays frozen.
const PATIENCE: Duration = Duration::from_secs(2);
/// Before something is asked again that had no clear answer.
const PAUSE: Duration = Duration::from_millis(100);
/// After this long a generator stops asking again: the run is lost anyhow.
const GIVE_UP: Duration = Duration::from_secs(40);

/// Runs generators while `faults` goes on; afterwards clears up and looks at everything.
pub async fn run(fleet: &Fleet, world: &Arc<World>, faults: impl Future<Output = ()>) -> Vec<Entry> {
    let mut writing = Vec::new();
    for i in 0..4 {
        writing.push(tokio::spawn(post(world.clone(), i)));
    }
    for key in 0..world.workers.len() {
        for i in 0..CLAIMERS {
            writing.push(tokio::spawn(claim(world.clone(), key, i)));
        }
    }
    let reading: Vec<_> = (0..4).map(|i| tokio::spawn(read(world.clone(), i))).collect();
    faults.await;
    world.end();
    join_all(writing).await.into_iter().for_each(|ended| ended.expect("a generator does not panic"));
    let mut last = Entry { content: Some(LAST.into()), key: Some("last".into()), ..Entry::new("drain", Op::Post) };
    until_known(world, &mut last, || world.poster.post_to(&world.channel, json!({ "content": LAST })).once("last")).await;
    clear_up(fleet, world).await;
    // A reader that does not get to the last message is stopped: the checks will say what it did not see.
    let stops: Vec<_> = reading.iter().map(|reader| reader.abort_handle()).collect();
    let patience = world.plan.drain + Duration::from_secs(world.plan.wait_s);
    if tokio::time::timeout(patience, join_all(reading)).await.is_err() {
        stops.iter().for_each(|stop| stop.abort());
    }
    world.recorder.history()
}

/// Posters 0 and 1 send an Idempotency-Key and ask until they are answered; 2 and 3 send none and never ask twice.
async fn post(world: Arc<World>, number: u64) {
    let name = format!("poster-{number}");
    let mut dice = world.dice(number);
    for n in 0.. {
        if world.is_over() {
            return;
        }
        let content = format!("{name}-{n}");
        let body = json!({ "content": content });
        let mut entry = Entry { content: Some(content.clone()), ..Entry::new(&name, Op::Post) };
        if number < 2 {
            let key = format!("{content}-key");
            entry.key = Some(key.clone());
            until_known(&world, &mut entry, || world.poster.post_to(&world.channel, body.clone()).once(&key)).await;
            if dice.one_in(8) {
                until_known(&world, &mut entry, || world.poster.post_to(&world.channel, body.clone()).once(&key)).await;
            }
            if dice.one_in(10) && entry.is_ok() {
                let other = format!("{content}-other");
                entry.content = Some(other.clone());
                once(&world, &mut entry, world.poster.post_to(&world.channel, json!({ "content": other })).once(&key)).await;
            }
        } else {
            once(&world, &mut entry, world.poster.post_to(&world.channel, body)).await;
            if dice.one_in(20) && entry.is_ok() {
                let id = entry.message.clone().unwrap_or_default();
                let mut entry = Entry { message: Some(id.clone()), ..Entry::new(&name, Op::Retract) };
                once(&world, &mut entry, world.poster.delete(&format!("/v1/messages/{id}"))).await;
            }
        }
        dice.pause(world.plan.pause_ms).await;
    }
}

/// The first claimers of a key ask for the next message, one of them waits for it; the last chooses out of a list.
async fn claim(world: Arc<World>, key: usize, number: usize) {
    let (agent, me) = (&world.workers[key], format!("claimer-{key}-{number}"));
    let mut dice = world.dice(100 + (key * 10 + number) as u64);
    for n in 0.. {
        if world.is_over() {
            return;
        }
        let lease_s = 1 + dice.roll(world.plan.lease_s);
        let grants = if number + 1 < CLAIMERS {
            let wait = if number == 0 { 1 } else { 0 };
            let body = json!({ "actor": me, "lease_seconds": lease_s, "wait": wait });
            let mut entry = Entry { max: 1, ..Entry::new(&me, Op::ClaimNext) };
            let again = dice.one_in(6);
            if again || dice.one_in(2) {
                let key = format!("{me}-{n}-key");
                entry.key = Some(key.clone());
                until_known(&world, &mut entry, || agent.claim_next(&world.channel, body.clone()).once(&key)).await;
                if again {
                    until_known(&world, &mut entry, || agent.claim_next(&world.channel, body.clone()).once(&key)).await;
                }
            } else if dice.one_in(3) {
                hang_up(&world, &mut entry, agent, &body, &mut dice).await;
            } else {
                once(&world, &mut entry, agent.claim_next(&world.channel, body)).await;
            }
            entry.grants
        } else {
            claim_out_of_a_list(&world, agent, &me, lease_s, &mut dice).await
        };
        if grants.is_empty() {
            dice.pause(world.plan.pause_ms).await;
        }
        for grant in &grants {
            work(&world, agent, &me, grant, lease_s, &mut dice).await;
        }
    }
}

/// Asks, and has gone before the answer: perhaps just while it is given something.
async fn hang_up(world: &World, entry: &mut Entry, agent: &Agent, body: &Value, dice: &mut Dice) {
    let mut body = body.clone();
    body["channel"] = world.channel.as_str().into();
    let (body, key) = (body.to_string(), &agent.key);
    let head = format!("POST /v1/tasks/claim HTTP/1.1\r\nHost: test\r\nX-API-Key: {key}\r\nContent-Length: {}\r\n\r\n", body.len());
    let address = world.addresses[usize::try_from(dice.roll(world.addresses.len() as u64)).expect("small")].as_str();
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(format!("{head}{body}").as_bytes()).await
    };
    world.recorder.unheard(entry, ask).await;
    world.recorder.keep(entry);
}

async fn claim_out_of_a_list(world: &World, agent: &Agent, me: &str, lease_s: u64, dice: &mut Dice) -> Vec<Grant> {
    let Ok(page) = agent.list(&world.channel, "status=unclaimed&limit=5").within(PATIENCE).attempt().await else { return vec![] };
    let listed = page.body["data"].as_array().map_or(&[][..], Vec::as_slice);
    if listed.is_empty() {
        return vec![];
    }
    let id = text(&listed[usize::try_from(dice.roll(listed.len() as u64)).expect("small")]["id"]);
    let mut entry = Entry { message: Some(id.clone()), max: 1, ..Entry::new(me, Op::Claim) };
    if dice.one_in(3) {
        // Held until the ack: whoever cannot know whether it holds it has to ask again.
        let ask = || agent.post(&format!("/v1/messages/{id}/claim"), json!({ "actor": me }));
        until_known(world, &mut entry, ask).await;
    } else {
        let body = json!({ "actor": me, "lease_seconds": lease_s });
        once(world, &mut entry, agent.post(&format!("/v1/messages/{id}/claim-with-lease"), body)).await;
    }
    entry.grants
}

/// Claims by id what was just given back, and is silent about it.
async fn claim_again(world: &World, agent: &Agent, me: &str, id: &str, lease_s: u64) {
    let mut entry = Entry { message: Some(id.to_owned()), max: 1, ..Entry::new(me, Op::Claim) };
    let body = json!({ "actor": me, "lease_seconds": lease_s });
    once(world, &mut entry, agent.post(&format!("/v1/messages/{id}/claim-with-lease"), body)).await;
}

/// What becomes of a claim: mostly an ack; also heartbeats, a release, silence, and what late or false holders try.
async fn work(world: &World, agent: &Agent, me: &str, grant: &Grant, lease_s: u64, dice: &mut Dice) {
    let Some(token) = grant.token.clone() else {
        dice.pause(20).await;
        return ack(world, agent, me, grant).await;
    };
    let fate = dice.roll(20);
    if fate < 2 {
        // Longer than the lease was at first.
        tokio::time::sleep(Duration::from_millis(700 * lease_s)).await;
        heartbeat(world, agent, me, grant, &token, lease_s).await;
        tokio::time::sleep(Duration::from_millis(500 * lease_s)).await;
    }
    if (3..=6).contains(&fate) {
        let forged = forge(&token);
        let nobody = Grant { attempt: 0, token: Some(forged.clone()), ..grant.clone() };
        match dice.roll(3) {
            0 => heartbeat(world, agent, me, &nobody, &forged, lease_s).await,
            1 => release(world, agent, me, &nobody).await,
            _ => once_on(world, agent, me, Op::Ack, &nobody).await,
        }
    }
    match fate {
        5 | 6 => {
            release(world, agent, me, grant).await;
            if dice.one_in(2) {
                late(world, agent, me, grant, lease_s, dice).await;
            } else {
                claim_again(world, agent, me, &grant.message, lease_s).await;
            }
        }
        7 => {
            let lease = Duration::from_secs(lease_s) + Duration::from_millis(30 + dice.roll(100));
            tokio::time::sleep(lease).await;
            late(world, agent, me, grant, lease_s, dice).await;
        }
        8 => {}
        _ => {
            dice.pause(20).await;
            ack(world, agent, me, grant).await;
        }
    }
}

/// The same token with another secret.
fn forge(token: &str) -> String {
    let at = token.len() - 4;
    let changed = if token[at..].starts_with('a') { "b" } else { "a" };
    format!("{}{changed}{}", &token[..at], &token[at + 1..])
}

/// Somebody who does not know that the claim is over.
async fn late(world: &World, agent: &Agent, me: &str, grant: &Grant, lease_s: u64, dice: &mut Dice) {
    match dice.roll(3) {
        0 => heartbeat(world, agent, me, grant, grant.token.as_deref().unwrap_or_default(), lease_s).await,
        1 => release(world, agent, me, grant).await,
        _ => once_on(world, agent, me, Op::Ack, grant).await,
    }
}

async fn heartbeat(world: &World, agent: &Agent, me: &str, grant: &Grant, token: &str, lease_s: u64) {
    let mut entry = Entry { message: Some(grant.message.clone()), attempt: Some(grant.attempt), ..Entry::new(me, Op::Heartbeat) };
    once(world, &mut entry, agent.post(&format!("/v1/leases/{token}/heartbeat"), json!({ "lease_seconds": lease_s }))).await;
}

async fn release(world: &World, agent: &Agent, me: &str, grant: &Grant) {
    once_on(world, agent, me, Op::Release, grant).await;
}

/// Asks until it is known: done twice is done.
async fn ack(world: &World, agent: &Agent, me: &str, grant: &Grant) {
    let (mut entry, ask) = on_claim(agent, me, Op::Ack, grant);
    until_known(world, &mut entry, ask).await;
}

async fn once_on(world: &World, agent: &Agent, me: &str, op: Op, grant: &Grant) {
    let (mut entry, ask) = on_claim(agent, me, op, grant);
    once(world, &mut entry, ask()).await;
}

/// An ack or a release of a claim, with its token if it has one.
fn on_claim<'a>(agent: &'a Agent, me: &str, op: Op, grant: &Grant) -> (Entry, impl Fn() -> Ask + 'a) {
    let entry = Entry { message: Some(grant.message.clone()), attempt: Some(grant.attempt), ..Entry::new(me, op) };
    let verb = if op == Op::Ack { "ack" } else { "release" };
    let mut body = json!({ "actor": me });
    if let Some(token) = &grant.token {
        body["lease_token"] = token.as_str().into();
    }
    let path = format!("/v1/messages/{}/{verb}", grant.message);
    (entry, move || agent.post(&path, body.clone()))
}

/// Readers 0 and 1 wait for messages, 2 and 3 look now and then; each up to the last message.
async fn read(world: Arc<World>, number: u64) {
    let name = format!("reader-{number}");
    let mut dice = world.dice(200 + number);
    let mut cursor = String::new();
    let waits = number < 2;
    let (op, wait) = if waits { (Op::WaitingPage, world.plan.wait_s) } else { (Op::Page, 0) };
    loop {
        let limit = 1 + dice.roll(15);
        let query = format!("limit={limit}&wait={wait}&cursor={cursor}");
        let mut entry = Entry::new(&name, op);
        let patience = PATIENCE + Duration::from_secs(wait);
        let page = world.recorder.perform(&mut entry, world.reader.list(&world.channel, &query), patience, true).await;
        entry.shown = shown(&page);
        if entry.is_ok() {
            cursor = page["next_cursor"].as_str().unwrap_or_default().to_owned();
        }
        if !entry.shown.is_empty() || !entry.is_ok() {
            world.recorder.keep(&entry);
        }
        if entry.shown.iter().any(|m| m.content == LAST) {
            return;
        }
        if !entry.is_ok() {
            tokio::time::sleep(PAUSE).await;
        } else if !waits {
            dice.pause(3 * world.plan.pause_ms).await;
        }
    }
}

/// Claims and acks all that is left, until everything is done, then looks at it on every replica.
async fn clear_up(fleet: &Fleet, world: &Arc<World>) {
    let agent = &world.workers[0];
    let began = Instant::now();
    loop {
        let mut entry = Entry { max: 10, ..Entry::new("drain", Op::ClaimNext) };
        once(world, &mut entry, agent.claim_next(&world.channel, json!({ "max": 10, "lease_seconds": 5, "actor": "drain" }))).await;
        for grant in &entry.grants {
            ack(world, agent, "drain", grant).await;
        }
        if !entry.grants.is_empty() && began.elapsed() < world.plan.drain {
            continue;
        }
        let all = look(world, &agent.clone(), "look").await;
        let done = all.iter().all(|entry| entry.is_ok() && entry.shown.iter().all(|m| m.state == "done"));
        if done || began.elapsed() > world.plan.drain {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    for replica in 0..fleet.size() {
        for entry in look(world, &agent.on(replica), &format!("final-{replica}")).await {
            world.recorder.keep(&entry);
        }
    }
}

/// Everything, page by page; a page that is not answered is asked for again.
async fn look(world: &World, agent: &Agent, name: &str) -> Vec<Entry> {
    let began = Instant::now();
    let (mut cursor, mut pages) = (String::new(), Vec::new());
    loop {
        let mut entry = Entry::new(name, Op::FinalPage);
        let query = format!("limit=100&cursor={cursor}");
        let page = world.recorder.perform(&mut entry, agent.list(&world.channel, &query), PATIENCE, true).await;
        entry.shown = shown(&page);
        if matches!(entry.outcome, Outcome::Unknown(_)) && began.elapsed() < GIVE_UP {
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        let next = page["next_cursor"].as_str().unwrap_or_default().to_owned();
        let end = entry.shown.is_empty() || next == cursor;
        cursor = next;
        pages.push(entry);
        if end {
            return pages;
        }
    }
}

/// Asks once, and writes it down.
async fn once(world: &World, entry: &mut Entry, ask: Ask) {
    // What the service may do again by itself: everything but a post, release or claim-next without Idempotency-Key.
    let repeatable = entry.key.is_some() || !matches!(entry.op, Op::Post | Op::Release | Op::ClaimNext | Op::Retract);
    let patience = if entry.op == Op::ClaimNext { PATIENCE + Duration::from_secs(1) } else { PATIENCE };
    let body = world.recorder.perform(entry, ask, patience, repeatable).await;
    (entry.grants, entry.shown) = (Vec::new(), Vec::new());
    if entry.is_ok() {
        match entry.op {
            Op::Post => entry.message = body["message"]["id"].as_str().map(str::to_owned),
            Op::ClaimNext if body["claims"].is_array() => {
                entry.grants = body["claims"].as_array().into_iter().flatten().map(grant).collect();
            }
            Op::ClaimNext if body["claimed"].is_null() => {}
            Op::ClaimNext => entry.grants = vec![Grant { message: text(&body["claimed"]["id"]), ..grant(&body) }],
            Op::Claim if body["status"] != "already_acknowledged" => {
                let attempt = body["message"]["attempt"].as_u64().unwrap_or_default();
                entry.grants = vec![Grant { attempt, ..grant(&body) }];
            }
            Op::Heartbeat => entry.grants = vec![grant(&body)],
            _ => {}
        }
    }
    world.recorder.keep(entry);
}

/// Asks again until it is answered; each time is written down. Only what may be asked twice.
async fn until_known(world: &World, entry: &mut Entry, ask: impl Fn() -> Ask) {
    let began = Instant::now();
    loop {
        once(world, entry, ask()).await;
        let clear = matches!(entry.outcome, Outcome::Ok | Outcome::Refused(_) | Outcome::Fault(_));
        if clear || began.elapsed() > GIVE_UP {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn grant(body: &Value) -> Grant {
    Grant {
        message: text(&body["message"]["id"]),
        attempt: body["attempt"].as_u64().unwrap_or_default(),
        lease_end: micros(&body["lease_expires_at"]),
        token: body["lease_token"].as_str().map(str::to_owned),
    }
}

fn shown(page: &Value) -> Vec<Shown> {
    let one = |m: &Value| Shown {
        message: text(&m["id"]),
        content: text(&m["content"]),
        created_at: text(&m["created_at"]),
        state: text(&m["state"]),
        attempt: m["attempt"].as_u64().unwrap_or_default(),
    };
    page["data"].as_array().into_iter().flatten().map(one).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
