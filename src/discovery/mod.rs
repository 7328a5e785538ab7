//! What the service says about itself.

pub mod health;
pub mod openapi;
pub mod schema;
