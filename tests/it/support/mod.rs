//! What tests stand on: a Redis, a fleet of replicas, clients, and looks into what they left behind.

// Not every helper has its test in every commit; the compiler only sees the ones in use.
#![allow(dead_code, reason = "a harness offers what the next test needs")]

pub mod answer;
pub mod balancer;
pub mod client;
pub mod clock;
pub mod codes;
pub mod collector;
pub mod count;
pub mod cut;
pub mod defaults;
pub mod fixtures;
pub mod fleet;
pub mod haproxy;
pub mod keyspace;
pub mod leftovers;
pub mod process;
pub mod receiver;
pub mod redis;
pub mod reply;
pub mod script;
pub mod tls;
pub mod wait;
pub mod worker;
