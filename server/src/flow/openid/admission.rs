//! Which memberships of a person an app gets to see, and whether that is enough to be let in.
//!
//! Owns the three limits of a view: live memberships, reach of the session's connection, organizations that the
//! app is registered for. Pure: never reads the store. One place, so that the ID token, userinfo and a refresh
//! cannot differ.

use provost_kernel::connection::Connection;
use provost_kernel::directory::Membership;
use provost_kernel::id::OrganizationId;

/// Organizations whose people an app serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Every organization.
    All,
    /// These only.
    Only(Vec<OrganizationId>),
}

impl Allowed {
    fn admits(&self, organization: &OrganizationId) -> bool {
        match self {
            Self::All => true,
            Self::Only(ids) => ids.contains(organization),
        }
    }
}

/// How the session was proved, as far as it limits what may be seen.
#[derive(Clone, Copy, Debug)]
pub enum Proof<'a> {
    /// With a password: no limit.
    Password,
    /// Through this connection: only what it reaches, so that one customer's identity provider never opens
    /// another customer's organization.
    Connection(&'a Connection),
    /// Through a connection that no longer exists or is switched off: nothing.
    Gone,
}

/// Why an app gets nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The person has no membership that this app may see.
    NoOrganization,
    /// The app asked for an organization of which the person is no member, or which it may not see.
    OtherOrganization,
}

/// What the app sees of a person.
#[derive(Clone, Debug)]
pub struct Admission<'a> {
    /// The memberships, in the order given.
    pub memberships: Vec<&'a Membership>,
    /// The organization that was asked for, or the only one.
    pub organization: Option<OrganizationId>,
}

/// Decides what the app sees.
///
/// # Errors
/// [`Refusal`] when that is nothing, or not what was asked for.
pub fn admit<'a>(
    memberships: &'a [Membership],
    proof: Proof<'_>,
    allowed: &Allowed,
    wanted: Option<&OrganizationId>,
) -> Result<Admission<'a>, Refusal> {
    let memberships: Vec<&Membership> = memberships
        .iter()
        .filter(|membership| membership.active && allowed.admits(&membership.organization))
        .filter(|membership| match proof {
            Proof::Password => true,
            Proof::Connection(connection) => connection.reaches(&membership.organization),
            Proof::Gone => false,
        })
        .collect();
    if memberships.is_empty() {
        return Err(Refusal::NoOrganization);
    }
    let organization = match (wanted, memberships.as_slice()) {
        (Some(wanted), seen) if seen.iter().any(|membership| &membership.organization == wanted) => {
            Some(wanted.clone())
        }
        (Some(_), _) => return Err(Refusal::OtherOrganization),
        (None, [only]) => Some(only.organization.clone()),
        (None, _) => None,
    };
    Ok(Admission {
        memberships,
        organization,
    })
}

#[cfg(test)]
mod tests {
    use provost_kernel::connection::{Connection, Protocol, Provisioning, Scope, Settings};
    use provost_kernel::directory::{Membership, Source};

    use super::{Allowed, Proof, Refusal, admit};

    fn member(organization: &str, active: bool) -> Membership {
        Membership {
            organization: organization.into(),
            active,
            source: Source::Manual,
            pinned: false,
            roles: Vec::new(),
            workspaces: Vec::new(),
            groups: Vec::new(),
            all_workspaces: None,
            license: None,
            version: 1,
        }
    }

    fn connection(own: &str, shared_with: &[&str]) -> Connection {
        Connection {
            id: "okta".into(),
            name: "Okta".to_owned(),
            scope: Scope::Organization {
                organization: own.into(),
                shared_with: shared_with.iter().map(|id| (*id).into()).collect(),
            },
            protocol: Protocol::Saml,
            enabled: true,
            domains: Vec::new(),
            provisioning: Provisioning::Jit,
            settings: Settings::default(),
            policy: None,
            organization_policies: Vec::new(),
            version: 1,
        }
    }

    fn seen(result: Result<super::Admission<'_>, Refusal>) -> Vec<String> {
        result
            .unwrap()
            .memberships
            .iter()
            .map(|m| m.organization.as_str().to_owned())
            .collect()
    }

    #[test]
    fn a_session_through_a_connection_shows_only_what_it_reaches() {
        let all = [member("a", true), member("b", true), member("c", true)];
        let own = connection("a", &["c"]);
        assert_eq!(
            seen(admit(&all, Proof::Connection(&own), &Allowed::All, None)),
            ["a", "c"]
        );
        assert_eq!(
            seen(admit(&all, Proof::Password, &Allowed::All, None)),
            ["a", "b", "c"]
        );
        assert_eq!(
            admit(&all, Proof::Gone, &Allowed::All, None).err(),
            Some(Refusal::NoOrganization)
        );
    }

    #[test]
    fn an_app_sees_only_its_organizations_and_suspended_memberships_never() {
        let all = [member("a", true), member("b", false), member("c", true)];
        let only = |ids: &[&str]| Allowed::Only(ids.iter().map(|id| (*id).into()).collect());
        assert_eq!(
            seen(admit(&all, Proof::Password, &only(&["a", "b"]), None)),
            ["a"]
        );
        assert_eq!(
            admit(&all, Proof::Password, &only(&["b"]), None).err(),
            Some(Refusal::NoOrganization)
        );
        assert_eq!(
            admit(&[], Proof::Password, &Allowed::All, None).err(),
            Some(Refusal::NoOrganization)
        );
    }

    #[test]
    fn the_organization_is_the_wanted_one_or_the_only_one() {
        let all = [member("a", true), member("b", true), member("c", false)];
        let pick = |wanted: Option<&str>| {
            admit(
                &all,
                Proof::Password,
                &Allowed::All,
                wanted.map(Into::into).as_ref(),
            )
            .map(|a| a.organization)
        };
        assert_eq!(pick(None), Ok(None));
        assert_eq!(pick(Some("b")), Ok(Some("b".into())));
        assert_eq!(pick(Some("c")), Err(Refusal::OtherOrganization));
        assert_eq!(pick(Some("z")), Err(Refusal::OtherOrganization));
        let one = [member("a", true)];
        assert_eq!(
            admit(&one, Proof::Password, &Allowed::All, None)
                .unwrap()
                .organization,
            Some("a".into())
        );
    }
}
