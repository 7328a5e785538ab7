//! API keys: the tenants. A key is shown once and kept as SHA-256 only; rights, names and actors hang on its id, not on its label.

pub mod admit;
pub mod cache;
pub mod change;
pub mod issue;
pub mod me;
pub mod minting;
pub mod news;
pub mod scopes;

/// Longest label, in characters.
const MAX_LABEL: usize = 128;
