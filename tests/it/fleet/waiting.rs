//! Long-poll and waiting claims across replicas.
