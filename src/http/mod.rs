//! What every request goes through, whatever it asks: who asks, its body, its answer, its headers and its log line.

pub mod address;
pub mod answer;
pub mod body;
pub mod caller;
pub mod context;
pub mod fields;
pub mod finish;
pub mod flood;
pub mod headers;
pub mod json;
pub mod once;
pub mod params;

pub use answer::Answer;
pub use body::Body;
pub use caller::{Admin, Caller};
pub use context::Context;
pub use fields::Fields;
pub use once::Once;
pub use params::{Params, Query};
