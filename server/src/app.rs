//! The application: what every flow is given. Holds no state that a second node would miss.

use std::ops::Deref;
use std::sync::Arc;

use provost_store::Store;
use tokio::sync::Notify;

use crate::config::Config;
use crate::dns::Dns;
use crate::flow;
use crate::flow::connection::{self, Connections};
use crate::flow::defaults::Defaults;
use crate::flow::heavy::Heavy;
use crate::flow::openid::applications::{self, Applications};
use crate::flow::openid::keys::KeyRing;
use crate::flow::organizations::{self, OrganizationIds};
use crate::flow::passwords::Passwords;
use crate::flow::provider::Providers;
use crate::mailer::Mailer;
use crate::outbound::{Outbound, OutboundError};
use crate::world::World;

/// What every flow is given. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts of an [`App`].
pub struct Parts {
    /// Configuration.
    pub config: Arc<Config>,
    /// What holds where no organization says otherwise.
    pub defaults: Defaults,
    /// Persistence.
    pub store: Store,
    /// Clock, ids, secrets.
    pub world: World,
    /// The only way to call other hosts.
    pub outbound: Outbound,
    /// TXT records of claimed domains.
    pub dns: Dns,
    /// Registered apps by client id.
    pub applications: Applications,
    /// Keys that sign our tokens.
    pub keys: KeyRing,
    /// Connections ready for use, by id.
    pub connections: Connections,
    /// The ids of all organizations, for policies that have to look at each.
    pub organization_ids: OrganizationIds,
    /// What OpenID providers publish.
    pub providers: Providers,
    /// Password hashing.
    pub passwords: Passwords,
    /// What this node keeps of the traffic of directories.
    pub scim: Arc<flow::scim::Runtime>,
    /// Verification of large messages.
    pub heavy: Heavy,
    /// The only way mail leaves.
    pub mailer: Mailer,
    /// Wakes the runner of this node's jobs.
    job_bell: Arc<Notify>,
    /// Wakes this node's pump of mail.
    mail_bell: Arc<Notify>,
}

impl App {
    /// Puts the application together.
    ///
    /// # Errors
    /// [`OutboundError::Setup`] when the HTTP client cannot be made.
    pub fn new(config: Config, store: Store, world: World) -> Result<Self, OutboundError> {
        let outbound = Outbound::new(
            config.allow_private_addresses,
            config.outbound_authorities.as_deref(),
        )?;
        let mailer = Mailer::new(&config.mail.transport).map_err(|error| OutboundError::Setup(error.text))?;
        let config = Arc::new(config);
        Ok(Self(Arc::new(Parts {
            mailer,
            dns: Dns::new(&config.dns_resolver),
            defaults: Defaults::new(Arc::clone(&config)),
            config,
            store,
            world,
            outbound,
            applications: applications::cache(),
            keys: KeyRing::default(),
            connections: connection::cache(),
            organization_ids: organizations::cache(),
            providers: Providers::default(),
            passwords: Passwords::default(),
            scim: Arc::default(),
            heavy: Heavy::default(),
            job_bell: Arc::new(Notify::new()),
            mail_bell: Arc::new(Notify::new()),
        })))
    }

    /// Returns how many hold the application, for tests of what is left behind.
    pub fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// Tells this node's runner that a job was queued, so that it need not wait for its next look.
    /// A node that does not hear it finds the job within a second.
    pub fn ring_jobs(&self) {
        self.job_bell.notify_one();
    }

    /// Tells this node's pump that a mail was queued, so that it need not wait for its next look.
    pub fn ring_mail(&self) {
        self.mail_bell.notify_one();
    }

    /// Waits until [`Self::ring_mail`].
    pub(crate) async fn mail_rung(&self) {
        self.mail_bell.notified().await;
    }

    /// Waits until [`Self::ring_jobs`].
    pub(crate) async fn jobs_rung(&self) {
        self.job_bell.notified().await;
    }
}

impl Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}
