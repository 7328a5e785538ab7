//! Documents equal code: the router, the OpenAPI document, the committed files.

mod answers;
mod codes;
mod document;
mod first_screen;
mod fuzz;
mod keyspace;
mod operations;
mod scopes;
