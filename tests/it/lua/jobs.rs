//! lua/jobs/

use std::time::Duration;

use deadpool_redis::redis::Value;

use crate::support::answer::Answer;
use crate::support::script::{Ask, Bench, DELIVERY, SECOND, START, on_both};

/// The stream of the queue.
fn stream(b: &Bench) -> String {
    b.key_like("jobs")
}

fn enter(b: &Bench, entries: &[(&str, &str)]) -> u64 {
    hand_over(b, "c1", entries).run().ok("entered").int(0)
}

fn hand_over<'a>(b: &'a Bench, channel: &str, entries: &[(&str, &str)]) -> Ask<'a> {
    let ids: String = entries.iter().map(|(id, _)| format!("{id} ")).collect();
    let jobs: Vec<&str> = entries.iter().map(|(_, job)| *job).collect();
    b.ask("jobs/enter").on("handed", channel).with("ids", ids).with("count", jobs.len()).values(&jobs)
}

/// Hands over entries whose jobs, so many each, go together.
fn hand_over_bundles<'a>(b: &'a Bench, ids: &[&str], bundles: &[&[&str]]) -> Ask<'a> {
    let ids_text: String = ids.iter().map(|id| format!("{id} ")).collect();
    let texts: Vec<String> = bundles.iter().map(|jobs| jobs.join("\u{1e}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    b.ask("jobs/enter").on("handed", "c1").with("ids", ids_text).with("count", ids.len()).values(&texts)
}

/// Jobs of the stream, by the queue's own count.
fn depth(b: &Bench) -> u64 {
    b.ask("jobs/gauge").run().ok("gauge").int(0)
}

/// Jobs in the stream, oldest first.
fn jobs(b: &Bench) -> Vec<String> {
    let entries: Vec<(String, Vec<String>)> = b.run(&["XRANGE", &stream(b), "-", "+"]);
    entries.into_iter().map(|(_, fields)| fields[1].clone()).collect()
}

/// Reads as a worker does: entries with their ids.
fn read(b: &Bench, worker: &str) -> Vec<String> {
    let read: Value = b.run(&["XREADGROUP", "GROUP", "workers", worker, "COUNT", "9", "STREAMS", &stream(b), ">"]);
    let Value::Array(streams) = read else { return Vec::new() };
    let Some(Value::Array(pair)) = streams.first() else { return Vec::new() };
    let Some(Value::Array(entries)) = pair.get(1) else { return Vec::new() };
    entries.iter().map(id_of).collect()
}

fn id_of(entry: &Value) -> String {
    let Value::Array(parts) = entry else { panic!("an entry") };
    backchannel::store::reply::text_of(&parts[0]).expect("an id")
}

fn done(b: &Bench, ids: &[&str]) -> u64 {
    b.ask("jobs/done").with("bundles", 0).values(ids).run().ok("done").int(0)
}

pub fn answers_done(b: &Bench) {
    b.ask("jobs/group").run().ok("made");
    enter(b, &[("1-0", "a"), ("2-0", "b"), ("3-0", "c")]);
    let ids = read(b, "w-1");
    assert_eq!(done(b, &[&ids[0], &ids[2]]), 2);
    assert_eq!(jobs(b), ["b"]);
    assert_eq!(done(b, &[&ids[0], &ids[1]]), 1, "one was done before");
    let pending: Vec<Value> = b.run(&["XPENDING", &stream(b), "workers", "-", "+", "9"]);
    assert!(pending.is_empty() && jobs(b).is_empty());
    // Of a bundle all jobs leave at once; what another worker has settled is not counted twice.
    hand_over_bundles(b, &["4-0", "5-0", "6-0", "7-0"], &[&["d", "e"], &["f"], &["g"]]).run().ok("entered");
    let ids = read(b, "w-1");
    assert_eq!((ids.len(), depth(b)), (3, 4));
    let first = || b.ask("jobs/done").with("bundles", 1).values(&[&ids[0], "1", &ids[1]]).run().ok("done");
    assert_eq!((first().int(0), depth(b)), (2, 1));
    assert_eq!((first().wrote_nothing().int(0), depth(b)), (0, 1));
    b.ask("jobs/done").with("bundles", 0).values(&[&ids[2]]).run().ok("done");
    let pending: Vec<Value> = b.run(&["XPENDING", &stream(b), "workers", "-", "+", "9"]);
    assert!(pending.is_empty() && depth(b) == 0);
}

pub fn answers_enter(b: &Bench) {
    assert_eq!(enter(b, &[("1-0", "a"), ("2-0", "b")]), 2);
    assert_eq!(enter(b, &[("2-0", "b"), ("3-0", "c")]), 1, "what was handed over before is there once");
    assert_eq!(jobs(b), ["a", "b", "c"]);
    // Another channel's entries may have the same ids.
    hand_over(b, "c2", &[("1-0", "d")]).run().ok("entered");
    assert_eq!(jobs(b).len(), 4);
    hand_over(b, "c1", &[("4-0", "e")]).with("most", 4).run().ok("full").wrote_nothing();
    assert_eq!(enter(b, &[("1-0", "a"), ("3-0", "c")]), 0);
    // Who is late with an old page enters nothing, and who has some of it and more enters the rest.
    assert_eq!(enter(b, &[("1-0", "a"), ("3-0", "c"), ("10-0", "e"), ("10-1", "f")]), 2);
    assert_eq!(jobs(b), ["a", "b", "c", "d", "e", "f"]);
    // A server whose clock was set back gives lower ids, to other entries: none of these is taken for one of the others.
    assert_eq!(enter(b, &[("2-1", "g"), ("9-7", "h")]), 2);
    assert_eq!(enter(b, &[("10-1", "f"), ("11-0", "i")]), 1);
    assert_eq!(enter(b, &[("2-1", "g"), ("9-7", "h")]), 0);
    assert_eq!(jobs(b)[6..], ["g", "h", "i"]);
    // Bundles are entries of several jobs, and count as many; what is not new to the queue goes without them.
    assert_eq!(hand_over_bundles(b, &["12-0", "13-0", "14-0"], &[&["j", "k"], &["l"]]).run().ok("entered").int(0), 3);
    assert_eq!((jobs(b)[9..].to_vec(), depth(b)), (vec!["j\u{1e}k".to_owned(), "l".to_owned()], 12));
    hand_over_bundles(b, &["15-0", "16-0"], &[&["m", "n"]]).with("most", 12).run().ok("full").wrote_nothing();
    assert_eq!(hand_over_bundles(b, &["13-0", "14-0", "15-0"], &[&["k", "l", "m"]]).run().ok("entered").int(0), 1);
    assert_eq!((jobs(b)[11..].to_vec(), depth(b)), (vec!["m".to_owned()], 13));
    // It is remembered for an hour.
    assert!((3_500_000..=3_600_000).contains(&b.run::<i64>(&["PTTL", &b.key_like("entered:c1")])));
}

#[test]
fn a_queue_remembers_the_last_hundreds_of_entries_and_no_more() {
    on_both(|b| {
        let page = |from: u32| (from..from + 100).map(|n| (format!("{n}-0"), format!("job {n}"))).collect::<Vec<_>>();
        let enter = |from: u32| {
            let page = page(from);
            let entries: Vec<(&str, &str)> = page.iter().map(|(id, job)| (id.as_str(), job.as_str())).collect();
            hand_over(b, "c1", &entries).with("most", 1_000_000).quietly().run().ok("entered").int(0)
        };
        for first in (0..6000).step_by(100) {
            assert_eq!(enter(1_760_000_000 + first), 100);
        }
        for first in [5400, 5900] {
            assert_eq!(enter(1_760_000_000 + first), 0, "{first}");
        }
        for n in 0..300 {
            let id = format!("{}-0", 1_770_000_000 + n);
            hand_over(b, "c1", &[(&id, "one")]).with("most", 1_000_000).quietly().run().ok("entered");
        }
        assert_eq!(enter(1_760_005_900), 0, "small pages are remembered together");
        let texts: Vec<String> = b.run(&["LRANGE", &b.key_like("entered:c1"), "0", "-1"]);
        let bytes: usize = texts.iter().map(String::len).sum();
        assert!(texts.len() <= 12 && bytes < 32_000, "{} texts, {bytes} bytes", texts.len());
    });
}

pub fn answers_put(b: &Bench) {
    let put = || b.ask("jobs/put").once("r");
    assert_eq!(put().run().ok("put").text(0), DELIVERY);
    assert_eq!(put().run().ok("replayed").wrote_nothing().text(0), DELIVERY);
    put().with("body", "another").run().no("idempotency_key_reused");
    assert_eq!(jobs(b), ["a job"]);
    b.ask("jobs/put").with("most", 1).run().no("overloaded");
}

pub fn answers_redrive(b: &Bench) {
    let redrive = |letters: &[(&str, &str)]| {
        letters.iter().fold(b.ask("jobs/redrive").on("redriven", "c1").with("all", 5), |ask, (id, job)| ask.rest(id, job))
    };
    let said = |answer: Answer| (answer.int(0), answer.int(1));
    assert_eq!(said(redrive(&[]).run().ok("redriven").wrote_nothing()), (0, 5));
    let both = [("d1:7", "a"), ("d2:7", "b")];
    assert_eq!(said(redrive(&both).once("r").run().ok("redriven")), (2, 3));
    assert_eq!(said(redrive(&[]).once("r").run().ok("replayed").wrote_nothing()), (2, 3));
    redrive(&[]).once("r").with("body", "another").run().no("idempotency_key_reused");
    assert_eq!(jobs(b), ["a", "b"]);
    // Who asks at the same time has had the same list: each is there once.
    assert_eq!(said(redrive(&both).run().ok("redriven").wrote_nothing()), (2, 3));
    assert_eq!(said(redrive(&[("d1:8", "a"), ("d3:8", "c")]).with("most", 3).run().ok("redriven")), (1, 4), "as many as it takes");
    assert_eq!(jobs(b), ["a", "b", "a"]);
    redrive(&both).with("most", 3).run().no("overloaded");
    assert_eq!(said(redrive(&[]).with("most", 3).run().ok("redriven").wrote_nothing()), (0, 5));
}

fn settle(b: &Bench, values: &[&str]) -> Answer {
    b.ask("jobs/settle").values(values).run().ok("settled")
}

pub fn answers_settle(b: &Bench) {
    b.ask("jobs/group").run().ok("made");
    enter(b, &[("1-0", "a"), ("2-0", "b"), ("3-0", "c")]);
    let ids = read(b, "w-1");
    assert_eq!(done(b, &[&ids[0]]), 1);
    let due = (START / 1000 + 5).to_string();
    let again = |n: usize, job: &'static str| [ids[n].clone(), "0".into(), "1".into(), due.clone(), job.into()];
    let settle_all = |all: &[[String; 5]]| settle(b, &all.iter().flatten().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(settle_all(&[again(0, "a again")]).wrote_nothing().int(0), 0, "another worker has settled it");
    assert_eq!(settle_all(&[again(0, "a again"), again(1, "b again"), again(2, "c again")]).int(0), 2);
    assert_eq!(settle_all(&[again(1, "b again")]).wrote_nothing().int(0), 0, "twice is once");
    assert!(jobs(b).is_empty());
    let pending: Vec<Value> = b.run(&["XPENDING", &stream(b), "workers", "-", "+", "9"]);
    assert!(pending.is_empty(), "nobody holds what is settled");
    let later: Vec<String> = b.run(&["ZRANGE", &b.key_like("retries"), "0", "-1"]);
    assert_eq!(later, ["b again", "c again"]);
    // Of a bundle those that are to be tried again are, and the others are done.
    hand_over_bundles(b, &["4-0", "5-0", "6-0"], &[&["d", "e", "f"]]).run().ok("entered");
    let id = read(b, "w-1").remove(0);
    let two = [id.as_str(), "2", "2", &due, "d again", &due, "f again"];
    assert_eq!((depth(b), settle(b, &two).int(0), depth(b)), (3, 2, 0));
    assert_eq!(settle(b, &two).wrote_nothing().int(0), 0);
    assert_eq!(b.run::<u64>(&["ZCARD", &b.key_like("retries")]), 4);
}

pub fn answers_due(b: &Bench) {
    enter(b, &[("1-0", "a")]);
    b.ask("jobs/group").run().ok("made");
    let id = read(b, "w-1").remove(0);
    settle(b, &[&id, "0", "1", &(START / 1000 + 1000).to_string(), "later"]);
    assert_eq!(b.ask("jobs/due").run().ok("moved").wrote_nothing().int(0), 0);
    b.pass(SECOND);
    assert_eq!(b.ask("jobs/due").run().ok("moved").int(0), 1);
    assert_eq!(jobs(b), ["later"]);
    assert_eq!(b.ask("jobs/due").run().ok("moved").wrote_nothing().int(0), 0);
}

pub fn answers_group(b: &Bench) {
    // What was there before the group is for it too.
    enter(b, &[("1-0", "a")]);
    b.ask("jobs/group").run().ok("made");
    assert_eq!(read(b, "w-1").len(), 1);
    b.ask("jobs/group").run().ok("known").wrote_nothing();
}

pub fn answers_adopt(b: &Bench) {
    let adopt = |idle: u64| b.ask("jobs/adopt").with("worker", "w-2").with("idle", idle).run();
    adopt(0).ok("no_group").wrote_nothing();
    enter(b, &[("1-0", "a")]);
    b.ask("jobs/group").run().ok("made");
    let ids = read(b, "w-1");
    assert!(adopt(60_000).ok("adopted").list(1).is_empty(), "its worker is at it");
    std::thread::sleep(Duration::from_millis(5));
    let taken = adopt(1).ok("adopted");
    assert_eq!(taken.list(1).iter().map(id_of).collect::<Vec<_>>(), ids);
}

pub fn answers_forget(b: &Bench) {
    let forget = |worker: &str, idle: u64| b.ask("jobs/forget").with("worker", worker).with("idle", idle).run().ok("forgot").int(0);
    assert_eq!(forget("w-1", 0), 0);
    enter(b, &[("1-0", "a")]);
    b.ask("jobs/group").run().ok("made");
    let id = read(b, "w-1").remove(0);
    assert_eq!(forget("w-1", 0), 0, "it has a job");
    done(b, &[&id]);
    read(b, "w-2");
    assert_eq!(forget("", 60_000), 0, "they were heard of");
    assert_eq!(forget("w-1", 60_000), 1);
    std::thread::sleep(Duration::from_millis(5));
    let rest: Vec<Value> = b.run(&["XINFO", "CONSUMERS", &stream(b), "workers"]);
    assert_eq!(forget("", 1), rest.len() as u64);
}

pub fn answers_gauge(b: &Bench) {
    let gauge = || b.ask("jobs/gauge").run().ok("gauge").wrote_nothing();
    assert_eq!((gauge().int(0), gauge().int(1), gauge().int(2)), (0, 0, 0));
    enter(b, &[("1-0", "a"), ("2-0", "b")]);
    b.ask("jobs/group").run().ok("made");
    let ids = read(b, "w-1");
    settle(b, &[&ids[0], "0", "1", &START.to_string(), "a"]);
    let oldest: u64 = ids[1].split('-').next().expect("ms").parse().expect("a number");
    assert_eq!((gauge().int(0), gauge().int(1), gauge().int(2)), (1, 1, oldest));
    hand_over_bundles(b, &["3-0", "4-0", "5-0"], &[&["c", "d", "e"]]).run().ok("entered");
    assert_eq!((gauge().int(0), gauge().int(1), gauge().int(2)), (4, 1, oldest));
}
