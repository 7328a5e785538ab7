//! `/v1/channels`

mod aliases;
mod create;
mod delete;
mod discover;
mod names;
mod owned;
mod read;
mod rename;
mod update;
