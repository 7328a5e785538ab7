//! What every request meets, whatever it asks.
