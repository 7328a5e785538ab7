//! What the service says about itself.

pub mod formats;
pub mod health;
pub mod openapi;
pub mod schema;
