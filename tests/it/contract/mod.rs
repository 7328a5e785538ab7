//! Documents equal code: the router, the OpenAPI document, the committed files.
