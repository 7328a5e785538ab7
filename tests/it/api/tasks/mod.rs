//! `/v1/tasks/*`

mod broadcast;
mod claim;
mod claim_and_ack;
mod post;
mod result;
mod session;
mod subscribe;
