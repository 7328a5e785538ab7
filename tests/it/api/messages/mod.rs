//! `/v1/channels/{id}/messages`, `…/history`, `/v1/messages/{id}`
