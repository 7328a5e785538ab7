//! Cursor readers under concurrent writers: no loss, no repeat.

use std::collections::HashSet;

use futures::future::join_all;
use serde_json::json;

use crate::support::client::Agent;
use crate::support::fleet::Fleet;

const WRITERS: usize = 8;
const READERS: usize = 4;
const MESSAGES: usize = 2_000;

/// Follows next_cursor from the start until it has seen the end mark; what it saw, in its order.
async fn read_all(reader: Agent, channel: String, wait: bool, limit: usize) -> Vec<(String, String)> {
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let wait = if wait { "&wait=10" } else { "" };
        let page = reader.list(&channel, &format!("limit={limit}&cursor={cursor}{wait}")).await.ok(200);
        assert_eq!(page.get("gap"), None);
        for message in page["data"].as_array().unwrap() {
            if message["content"] == "the end" {
                return seen;
            }
            seen.push((message["created_at"].as_str().unwrap().to_owned(), message["content"].as_str().unwrap().to_owned()));
        }
        cursor = page["next_cursor"].as_str().unwrap_or_default().to_owned();
        assert!(seen.len() <= MESSAGES, "something came twice");
    }
}

#[tokio::test]
async fn every_reader_sees_every_message_once_and_in_order_from_any_mix_of_replicas() {
    let fleet = Fleet::start(3).await;
    let owner = fleet.agent("owner").await;
    for mode in ["broadcast", "claimable"] {
        let channel = owner.channel(mode).await;
        let mut readers = Vec::new();
        for i in 0..READERS {
            let reader = fleet.agent(&format!("reader-{i}")).await;
            // Long-poll and plain, small pages and large ones.
            let limit = [3, 100, 20, 100][i];
            readers.push(tokio::spawn(read_all(reader, channel.clone(), i % 2 == 0, limit)));
        }
        let part = MESSAGES / 2 / WRITERS;
        let write = |writer: usize| {
            let (owner, channel) = (owner.clone(), channel.clone());
            async move {
                for i in 0..part {
                    owner.post_message(&channel, &format!("{writer} {i}")).await;
                }
            }
        };
        join_all((0..WRITERS).map(|writer| tokio::spawn(write(writer)))).await.into_iter().for_each(|done| done.unwrap());
        owner.post_to(&channel, json!({ "content": "the end" })).await.ok(201);
        for reader in readers {
            let seen = reader.await.unwrap();
            assert_eq!(seen.len(), part * WRITERS);
            assert!(seen.windows(2).all(|pair| pair[0].0 < pair[1].0), "in order");
            let all: HashSet<&str> = seen.iter().map(|(_, content)| content.as_str()).collect();
            assert_eq!(all.len(), seen.len(), "each once");
            for writer in 0..WRITERS {
                let own: Vec<_> = seen.iter().filter(|(_, content)| content.starts_with(&format!("{writer} "))).collect();
                let expected = (0..part).map(|i| format!("{writer} {i}"));
                assert!(own.iter().map(|(_, content)| content.clone()).eq(expected), "each writer's in the order it wrote them");
            }
        }
    }
    fleet.finish().await;
}
