//! `/v1/messages/{id}/claim`, `…/claim-with-lease`, `…/release`, `…/ack`, `/v1/leases/{token}/heartbeat`
