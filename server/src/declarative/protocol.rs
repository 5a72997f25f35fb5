//! The protocol side of a connection entry: reads metadata, makes our keys once, keeps stored secrets that the
//! file does not repeat. Runs before the transaction, because it may read files and call other hosts.

mod keys;
mod oidc;
mod saml;

use std::path::Path;

use provost_kernel::connection::{Connection, Scope};
use provost_kernel::domain;
use provost_kernel::id::{ConnectionId, OrganizationId};
use provost_store::{ConnectionRecord, SecretMap};

use super::document::{ConnectionEntry, ScimEntry, ScopeWord};
use super::report::{Problem, Report};
use crate::app::App;
use crate::connection_config::{ProtocolConfig, ScimConfig};

pub use saml::refreshed;

/// A connection as the file wants it, ready to be stored.
#[derive(Clone, Debug)]
pub(super) struct Resolved {
    /// What decisions see; the version is the store's.
    pub(super) connection: Connection,
    /// Protocol settings.
    pub(super) config: ProtocolConfig,
    /// What a directory may do.
    pub(super) scim: Option<ScimConfig>,
    /// Everything that is sealed.
    pub(super) secrets: SecretMap,
    /// Version of the stored connection that it was resolved beside; none if there was none.
    pub(super) from: Option<i64>,
}

/// What resolving may use and what it adds to.
pub(super) struct Context<'a> {
    /// For calls, random values and the clock.
    pub(super) app: &'a App,
    /// Folder that file names are relative to.
    pub(super) folder: &'a Path,
    /// What is wrong.
    pub(super) problems: &'a mut Vec<Problem>,
    /// Warnings.
    pub(super) report: &'a mut Report,
}

impl Context<'_> {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem::new(path, message));
    }
}

/// Resolves one connection beside what is stored of it. None where problems were added.
pub(super) async fn resolve(
    context: &mut Context<'_>,
    entry: &ConnectionEntry,
    stored: Option<&ConnectionRecord>,
) -> Option<Resolved> {
    let path = format!("connections[{}]", entry.id);
    let old = match stored
        .map(|record| ProtocolConfig::of(&entry.id, &record.protocol_config))
        .transpose()
    {
        Ok(old) => old,
        Err(error) => {
            context.add(path, crate::error::chain(&error));
            return None;
        }
    };
    let mut secrets = stored.map(|record| record.secrets.clone()).unwrap_or_default();
    let config = match (&entry.saml, &entry.oidc) {
        (Some(wanted), None) => {
            let old = match &old {
                Some(ProtocolConfig::Saml(old)) => Some(old),
                Some(ProtocolConfig::Oidc(_)) | None => None,
            };
            saml::resolve(context, &format!("{path}.saml"), wanted, old, &mut secrets)
                .await
                .map(ProtocolConfig::Saml)
        }
        (None, Some(wanted)) => {
            let old = match &old {
                Some(ProtocolConfig::Oidc(old)) => Some(old),
                Some(ProtocolConfig::Saml(_)) | None => None,
            };
            oidc::resolve(context, &format!("{path}.oidc"), wanted, old, &mut secrets)
                .map(ProtocolConfig::Oidc)
        }
        // The document's own check has said so already.
        (None, None) | (Some(_), Some(_)) => None,
    }?;
    let scim = entry.scim.as_ref().map(ScimEntry::config);
    Some(Resolved {
        connection: connection(entry),
        config,
        scim,
        secrets,
        from: stored.map(|record| record.connection.version),
    })
}

/// Builds what decisions see of a connection.
fn connection(entry: &ConnectionEntry) -> Connection {
    let scope = match (entry.scope, &entry.organization) {
        (Some(ScopeWord::Instance), _) | (_, None) => Scope::Instance,
        (Some(ScopeWord::Organization) | None, Some(organization)) => Scope::Organization {
            organization: OrganizationId::new(organization),
            shared_with: entry.shared_with.iter().map(OrganizationId::new).collect(),
        },
    };
    Connection {
        id: ConnectionId::new(&entry.id),
        name: entry.name.clone().unwrap_or_else(|| entry.id.clone()),
        scope,
        protocol: entry.protocol,
        enabled: entry.enabled,
        domains: entry
            .domains
            .iter()
            .map(|name| domain::normalize(name).unwrap_or_else(|_| name.to_ascii_lowercase()))
            .collect(),
        provisioning: entry.provisioning,
        settings: entry.settings(),
        policy: entry.policy.clone(),
        organization_policies: entry.organization_policies.clone(),
        version: 0,
    }
}

/// Checks an address that browsers or this server will be sent to.
fn check_url(context: &mut Context<'_>, path: &str, url: &str) {
    let is_loopback = |host: &url::Host<&str>| match host {
        url::Host::Domain(name) => *name == "localhost",
        url::Host::Ipv4(address) => address.is_loopback(),
        url::Host::Ipv6(address) => address.is_loopback(),
    };
    let allow_http = context.app.config.allow_private_addresses;
    let fits = url::Url::parse(url).is_ok_and(|url| match url.scheme() {
        "https" => url.has_host(),
        "http" => allow_http && url.host().as_ref().is_some_and(is_loopback),
        _ => false,
    });
    if !fits {
        context.add(path, "must be an https address");
    }
}

/// Checks an allowed clock difference and fills the default in.
fn clock_skew(context: &mut Context<'_>, path: &str, wanted: Option<u32>) -> u32 {
    const DEFAULT: u32 = 60;
    let seconds = wanted.unwrap_or(DEFAULT);
    if seconds > 300 {
        context.add(format!("{path}.clock_skew_seconds"), "is larger than 300");
    }
    seconds
}
