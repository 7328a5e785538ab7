//! What is done to the server, one file a scenario.

pub mod claim_next;
pub mod cycle;
pub mod fanout;
pub mod plain;
pub mod rooms;
pub mod wake;

pub use claim_next::claim_next;
pub use cycle::cycle;
pub use fanout::fanout;
pub use plain::{acks, claims, list, pages, posts, yardstick};
pub use wake::{minimal_wake, wake};
