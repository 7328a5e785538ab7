//! The same over Redis Cluster.
