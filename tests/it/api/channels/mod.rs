//! `/v1/channels`

mod aliases;
mod create;
mod delete;
mod names;
mod read;
mod rename;
mod update;
