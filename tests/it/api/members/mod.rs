//! `/v1/channels/{id}/members`
