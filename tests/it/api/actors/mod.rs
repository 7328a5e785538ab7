//! `/v1/actors`
