//! The application: what every flow is given. Holds no state that a second node would miss.

use std::sync::Arc;

use provost_store::Store;

use crate::config::Config;
use crate::world::World;

/// What every flow is given. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// Configuration.
    pub config: Arc<Config>,
    /// Persistence.
    pub store: Store,
    /// Clock, ids, secrets.
    pub world: World,
}
