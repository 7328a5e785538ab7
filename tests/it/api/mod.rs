//! One file an operation, named like its URL: `api/messages/post.rs`.

mod access_requests;
mod account;
mod actors;
mod admin;
mod audit;
mod channels;
mod claims;
mod cross_cutting;
mod events;
mod invitations;
mod keys;
mod members;
mod messages;
mod observability;
mod sessions;
mod tasks;
