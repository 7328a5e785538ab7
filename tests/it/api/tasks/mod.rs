//! `/v1/tasks/*`
