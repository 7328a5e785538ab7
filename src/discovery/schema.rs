//! Schemas of bodies, by name, for the OpenAPI document.

use std::borrow::Cow;

use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A type's name, and its schema with those it refers to: an [`crate::operation::Body`].
pub fn of<T: ToSchema + PartialSchema>() -> (Cow<'static, str>, Vec<(String, RefOr<Schema>)>) {
    let name = T::name();
    let mut schemas = vec![(name.to_string(), T::schema())];
    T::schemas(&mut schemas);
    (name, schemas)
}

/// A body that is of one type or of the other.
pub fn either<A: ToSchema + PartialSchema, B: ToSchema + PartialSchema>() -> (Cow<'static, str>, Vec<(String, RefOr<Schema>)>) {
    let ((a, mut schemas), (b, more)) = (of::<A>(), of::<B>());
    schemas.extend(more);
    let either = AnyOfBuilder::new().item(Ref::from_schema_name(a.as_ref())).item(Ref::from_schema_name(b.as_ref())).build();
    let name = format!("{a}Or{b}");
    schemas.push((name.clone(), RefOr::T(Schema::AnyOf(either))));
    (Cow::Owned(name), schemas)
}
