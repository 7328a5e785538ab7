//! lua/hooks/

use crate::support::script::{Bench, DELIVERY, SECOND, START};

fn record(b: &Bench, id: &str, outcome: &str) -> u64 {
    b.ask("hooks/record").with("id", id).with("outcome", outcome).with("error", "timeout").run().ok("recorded").int(0)
}

fn delivered(b: &Bench, ids: &[&str]) {
    let ask = ids.iter().fold(b.ask("hooks/delivered"), |ask, id| ask.rest(id, "a job").rest("1", "200").values(&["7"]));
    ask.run().ok("recorded");
}

fn dead(b: &Bench) -> Vec<String> {
    b.ask("hooks/dead").run().ok("page").wrote_nothing().texts(0).into_iter().step_by(2).collect()
}

pub fn answers_record(b: &Bench) {
    assert_eq!(record(b, DELIVERY, "failed"), START);
    b.pass(SECOND);
    assert_eq!(record(b, DELIVERY, "dead"), START, "since the first failure");
    assert_eq!(dead(b), [DELIVERY]);
    let other = b.ask("hooks/record").with("outcome", "failed").with("mark", "m2").run().ok("recorded");
    assert_eq!(other.int(0), START + SECOND, "another URL begins anew");
    delivered(b, &[DELIVERY]);
    assert!(dead(b).is_empty(), "what is delivered is not dead");
    b.pass(SECOND);
    assert_eq!(record(b, DELIVERY, "failed"), START + 2 * SECOND);
    for n in 0..210 {
        b.ask("hooks/record").with("id", format!("dlv_{n}")).quietly().run().ok("recorded");
    }
    assert!((200..=300).contains(&b.run::<u64>(&["XLEN", &b.key_like("deliveries")])), "about 200");
    for n in 0..1003u32 {
        b.pass(1);
        b.ask("hooks/record").with("id", format!("dlv_{n}")).with("outcome", "dead").quietly().run().ok("recorded");
    }
    let kept = (b.run::<u64>(&["HLEN", &b.key_like("dead")]), b.run::<u64>(&["ZCARD", &b.key_like("dead-index")]));
    assert_eq!(kept, (1000, 1000));
    assert_eq!(b.run::<Option<String>>(&["HGET", &b.key_like("dead"), "dlv_2"]), None, "the oldest went");
}

pub fn answers_delivered(b: &Bench) {
    record(b, "dlv_1", "dead");
    record(b, "dlv_2", "dead");
    record(b, "dlv_3", "dead");
    delivered(b, &["dlv_1", "dlv_0", "dlv_3"]);
    assert_eq!(dead(b), ["dlv_2"]);
    let entries: Vec<(String, Vec<String>)> = b.run(&["XREVRANGE", &b.key_like("deliveries"), "+", "-", "COUNT", "1"]);
    assert_eq!(entries[0].1, ["i", "dlv_3", "j", "a job", "n", "1", "s", "200", "d", "7", "o", "delivered", "e", ""]);
    assert_eq!(b.run::<u64>(&["XLEN", &b.key_like("deliveries")]), 6);
    b.pass(SECOND);
    assert_eq!(record(b, DELIVERY, "failed"), START + SECOND, "failures begin anew");
}

pub fn answers_deliveries(b: &Bench) {
    record(b, "dlv_1", "failed");
    delivered(b, &["dlv_1"]);
    let page = b.ask("hooks/deliveries").with("limit", 1).run().ok("page").wrote_nothing();
    assert_eq!(page.list(0).len(), 1);
    assert_eq!(b.ask("hooks/deliveries").run().ok("page").list(0).len(), 2);
}

pub fn answers_dead(b: &Bench) {
    assert!(dead(b).is_empty());
    record(b, "dlv_1", "dead");
    b.pass(SECOND);
    record(b, "dlv_2", "dead");
    assert_eq!(dead(b), ["dlv_2", "dlv_1"]);
    let oldest = b.ask("hooks/dead").with("first", "oldest").with("limit", 1).run().ok("page");
    assert_eq!((oldest.texts(0)[0].as_str(), oldest.int(1)), ("dlv_1", 2), "one of two");
    let facts = b.ask("hooks/dead").with("limit", 1).run().ok("page").texts(0);
    assert_eq!(facts, ["dlv_2", &format!("{}\u{1f}1\u{1f}200\u{1f}timeout\u{1f}a job", START + SECOND)]);
}

pub fn answers_one(b: &Bench) {
    let one = || b.ask("hooks/one").run();
    one().no("delivery_not_found");
    record(b, DELIVERY, "failed");
    assert_eq!(one().ok("tried").wrote_nothing().text(0), "a job");
    record(b, DELIVERY, "dead");
    assert!(one().ok("dead").wrote_nothing().text(0).ends_with("a job"));
}

pub fn answers_redriven(b: &Bench) {
    let redriven = |letters: &[String]| {
        let pairs = letters.chunks(2).fold(b.ask("hooks/redriven"), |ask, pair| ask.rest(&pair[0], &pair[1]));
        pairs.run().ok("redriven")
    };
    assert_eq!(redriven(&[DELIVERY.into(), "facts".into()]).wrote_nothing().int(0), 0);
    record(b, DELIVERY, "dead");
    record(b, "dlv_1", "dead");
    let letters = b.ask("hooks/dead").run().ok("page").texts(0);
    b.pass(SECOND);
    record(b, "dlv_1", "dead");
    assert_eq!(redriven(&letters).int(0), 1);
    assert_eq!(dead(b), ["dlv_1"], "it was given up once more meanwhile");
    assert_eq!(redriven(&letters).wrote_nothing().int(0), 0);
}
