//! Schemas of bodies, by name, for the OpenAPI document.

use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A type's name, and its schema with those it refers to: an [`crate::operation::Body`].
pub fn of<T: ToSchema + PartialSchema>() -> (&'static str, Vec<(String, RefOr<Schema>)>) {
    let name = std::any::type_name::<T>().rsplit("::").next().unwrap_or("Body");
    let mut schemas = vec![(name.to_owned(), T::schema())];
    T::schemas(&mut schemas);
    (name, schemas)
}
