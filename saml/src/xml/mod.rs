//! XML: pre-scan, one strict tree, and text for the messages we write. Never re-serializes what it reads.

pub(crate) mod names;
pub(crate) mod scan;
pub(crate) mod text;
pub(crate) mod tree;

pub(crate) use scan::Dialect;
pub(crate) use tree::{MAX_NAMESPACE_WORK, Node, Tree};
