//! Arguments of scripts travel packed: what a script gets is what was given, whatever its length or size.

use deadpool_redis::redis::Value;

use crate::support::script::on_both;

/// Around each length and size at which a text or a number is packed in another way, or goes alone.
const EDGES: [usize; 15] = [0, 1, 31, 32, 127, 128, 129, 255, 256, 257, 65_535, 65_536, 65_537, 200_000, 1_048_576];

#[test]
fn texts_of_any_length_arrive_as_they_are() {
    on_both(|b| {
        b.channel(&[]);
        for (i, length) in EDGES.into_iter().enumerate() {
            // Long ones in turns: one of them alone, then the other, then both.
            let (head, content, metadata) = ("h".repeat(length), "c".repeat(length), "m".repeat(EDGES[EDGES.len() - 1 - i]));
            b.ask("messages/post").with("head", &head).with("content", &content).with("metadata", &metadata).quietly().run().ok("posted");
            let newest: Vec<(String, Vec<String>)> = b.run(&["XREVRANGE", &b.key("log"), "+", "-", "COUNT", "1"]);
            assert!(newest[0].1 == ["h", &head, "c", &content, "m", &metadata], "{length}");
        }
    });
}

#[test]
fn numbers_of_any_size_arrive_as_they_are() {
    on_both(|b| {
        for n in EDGES.into_iter().map(|n| n as u64).chain([u64::from(u32::MAX), 1 << 32, (1 << 32) + 1, (1 << 53) - 1]) {
            b.run::<Value>(&["DEL", &b.key_of_owner(&format!("usage:{}", crate::support::script::OWNER))]);
            assert_eq!(b.ask("usage/add").with("bytes", n).quietly().run().ok("counted").int(4), n);
        }
    });
}
