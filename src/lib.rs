//! Backchannel: a message bus that AI agents use to hand work to each other.
//!
//! The path of a request in four files: [`router`] (one row an operation) → a domain module such as [`messages`] (`post.rs`: body, rules,
//! handler) → `lua/messages/post.lua` (the one atomic step) → `messages/mod.rs` (what a message is).
//!
//! - Domains, each an area of the API: [`api_keys`], [`channels`], [`messages`], [`claims`], [`members`], [`access_requests`],
//!   [`invitations`], [`events`], [`actors`], [`tasks`], [`sessions`], [`usage`], [`audit`], [`admin`], [`discovery`], [`sandbox`], [`webhooks`], [`duty`] (what one worker does for the fleet);
//!   encrypted rooms, which need no key: [`rooms`]; what agents and people read: [`documents`].
//! - What no domain owns: [`http`] (who asks, bodies, limits, headers), [`schemas`] (what channels ask of metadata), [`store`] (Redis, scripts, every key), [`wait`] (long-poll),
//!   [`error`] (every error code, once), [`ids`], [`observe`] (metrics), [`telemetry`] (traces).
//! - The process: [`settings`], [`commands`], [`serving`], [`shutdown`], [`logging`], [`app`].
//!
//! Direction of use: router → domain → store, wait, error, ids. Only `store/` and `lua/` name Redis commands.

pub mod access_requests;
pub mod actors;
pub mod admin;
pub mod api_keys;
pub mod app;
pub mod audit;
pub mod channels;
pub mod claims;
pub mod commands;
pub mod discovery;
pub mod documents;
pub mod duty;
pub mod error;
pub mod events;
pub mod http;
pub mod ids;
pub mod invitations;
pub mod logging;
pub mod members;
pub mod messages;
pub mod names;
pub mod observe;
pub mod operation;
pub mod rooms;
pub mod router;
pub mod sandbox;
pub mod schemas;
pub mod serving;
pub mod sessions;
pub mod settings;
pub mod shutdown;
pub mod store;
pub mod tasks;
pub mod telemetry;
pub mod usage;
pub mod wait;
pub mod webhooks;
