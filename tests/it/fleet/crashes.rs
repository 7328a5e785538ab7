//! Replicas that die or freeze in the middle.
