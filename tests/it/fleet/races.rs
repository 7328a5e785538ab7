//! Many want one message; one gets it.
