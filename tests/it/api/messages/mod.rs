//! `/v1/channels/{id}/messages`, `…/history`, `/v1/messages/{id}`

mod expiry;
mod history;
mod list;
mod list_status;
mod mentions;
mod post;
mod post_limits;
mod retract;
