//! Documents: served as promised, true for the instance, and every command in them works as printed.

mod agents_view;
mod blocks;
mod drift;
mod instance;
mod pages;
mod served;
mod status;
