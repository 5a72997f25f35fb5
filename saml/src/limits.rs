//! Owns the size limits that hold before any parser runs. Never raised by a message.

/// Limits for one message.
///
/// They exist because a stack overflow aborts the whole process and because quadratic work on one
/// hostile message would starve every other organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest message, in bytes, both as received and after decoding or inflating.
    pub max_bytes: usize,
    /// Deepest element nesting.
    pub max_depth: usize,
    /// Most elements in one document.
    pub max_nodes: usize,
    /// Most attributes (namespace declarations included) on one element.
    pub max_attributes: usize,
}

impl Limits {
    /// Limits for protocol messages: 256 KiB, 64 levels, 20 000 elements, 64 attributes.
    pub const MESSAGE: Self = Self {
        max_bytes: 256 * 1024,
        max_depth: 64,
        max_nodes: 20_000,
        max_attributes: 64,
    };

    /// Limits for metadata documents, which an administrator hands in: 2 MiB, 64 levels, 50 000 elements.
    pub const METADATA: Self = Self {
        max_bytes: 2 * 1024 * 1024,
        max_depth: 64,
        max_nodes: 50_000,
        max_attributes: 64,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::MESSAGE
    }
}
