//! What one replica revokes, all refuse.
