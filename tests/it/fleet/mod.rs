//! What must hold over several replicas.

mod health;
mod python_sdk;
