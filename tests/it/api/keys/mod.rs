//! `/v1/keys`, `/v1/keys/me`, `/v1/keys/me/scopes`, `/v1/admin/minting`.

mod issue;
mod me;
mod minting;
mod scopes;
mod scopes_enforced;
