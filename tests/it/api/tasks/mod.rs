//! `/v1/tasks/*`

mod broadcast;
mod claim;
mod post;
mod session;
mod subscribe;
