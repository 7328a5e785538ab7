//! Redis: the connections, the scripts, every key. Nothing else in the program names a Redis command.

pub mod capacity;
pub mod clock;
mod command;
mod connect;
pub mod doctor;
pub mod jobs;
pub mod keyspace;
mod line;
pub mod log;
pub mod measure;
pub mod nodes;
pub mod outbox;
pub mod packed;
mod primary;
pub mod pubsub;
pub mod reach;
pub mod redis;
mod replication;
pub mod reply;

pub mod script;
pub mod scripts;
pub mod target;
pub mod walk;

pub use keyspace::{Keyspace, Slot};
pub use redis::Redis;
pub use replication::Terms;
pub use reply::Reply;
pub use script::Script;
