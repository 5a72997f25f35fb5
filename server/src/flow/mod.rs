//! One use case per file. Flows open transactions, ask the kernel, and call other hosts; they never see HTTP types.

pub mod departure;
pub mod metrics;
pub mod openid;
pub mod pending;
pub mod readiness;
