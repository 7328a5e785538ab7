//! Round trips to Redis that a hot operation costs.
