//! What holds for every operation alike.

mod bad_bodies;
mod bad_fields;
mod bad_heads;
mod bad_paths;
mod base_url;
mod full_store;
mod headers;
mod logs;
mod metrics;
mod rate_limit;
mod redis_away;
mod routes;
mod slow_clients;
