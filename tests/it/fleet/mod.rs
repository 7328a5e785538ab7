//! What must hold over several replicas.

mod access;
mod chart_handoff;
pub mod cluster;
mod crashes;
mod health;
mod idempotency;
mod key_news;
mod mcp;
mod mcp_discovery;
mod outboxes;
mod python_sdk;
mod quotas;
mod races;
mod readers;
mod revocation;
mod rolling;
mod round_trips;
mod sandbox;
mod schemas;
mod stop;
mod threads;
mod time;
mod waiting;
