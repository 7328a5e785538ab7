//! `/v1/channels`
