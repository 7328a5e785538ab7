//! A replica that is told to stop.
