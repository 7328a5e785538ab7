//! `/v1/keys`, `/v1/keys/me`, `/v1/admin/minting`
