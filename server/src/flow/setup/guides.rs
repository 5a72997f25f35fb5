//! The identity providers that there are guides for, and what they can do. Their words are those of the pages; see
//! `console/setup/guide.rs`.

use provost_kernel::connection::{Protocol, Provisioning};

/// A product, or a protocol where the product is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guide {
    /// Stable word, in addresses.
    pub id: &'static str,
    /// The product's own name.
    pub name: &'static str,
    /// Protocols, the recommended one first.
    pub protocols: &'static [Protocol],
    /// Whether it can push its directory by SCIM to an app that it does not know by name.
    pub scim: bool,
}

use Protocol::{Oidc, Saml};

/// Every guide, in the order in which they are offered.
pub const GUIDES: &[Guide] = &[
    Guide::new("okta", "Okta", &[Saml, Oidc], true),
    Guide::new("entra", "Microsoft Entra ID", &[Saml, Oidc], true),
    Guide::new("google", "Google Workspace", &[Saml, Oidc], false),
    Guide::new("onelogin", "OneLogin", &[Saml, Oidc], true),
    Guide::new("ping", "PingOne", &[Saml, Oidc], true),
    Guide::new("jumpcloud", "JumpCloud", &[Saml, Oidc], true),
    Guide::new("adfs", "AD FS", &[Saml], false),
    Guide::new("keycloak", "Keycloak", &[Saml, Oidc], false),
    Guide::new("saml", "SAML 2.0", &[Saml], false),
    Guide::new("oidc", "OpenID Connect", &[Oidc], false),
];

impl Guide {
    const fn new(id: &'static str, name: &'static str, protocols: &'static [Protocol], scim: bool) -> Self {
        Self {
            id,
            name,
            protocols,
            scim,
        }
    }

    /// Finds a guide by its word.
    pub fn find(id: &str) -> Option<&'static Self> {
        GUIDES.iter().find(|guide| guide.id == id)
    }

    /// The guide for a protocol of an unknown product.
    pub fn generic(protocol: Protocol) -> &'static Self {
        let wanted = match protocol {
            Saml => "saml",
            Oidc => "oidc",
        };
        Self::find(wanted).unwrap_or(&FALLBACK)
    }

    /// The mode that is preselected: SCIM where the product can do it.
    pub const fn preselected(&self) -> Provisioning {
        if self.scim {
            Provisioning::Scim
        } else {
            Provisioning::Jit
        }
    }
}

const FALLBACK: Guide = Guide::new("saml", "SAML 2.0", &[Saml], false);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{GUIDES, Guide};
    use provost_kernel::connection::{Protocol, Provisioning};

    #[test]
    fn r12_scim_is_preselected_where_the_product_can_do_it() {
        for guide in GUIDES {
            let expected = if guide.scim {
                Provisioning::Scim
            } else {
                Provisioning::Jit
            };
            assert_eq!(guide.preselected(), expected, "{}", guide.id);
        }
        assert!(GUIDES.iter().any(|guide| guide.scim) && GUIDES.iter().any(|guide| !guide.scim));
    }

    #[test]
    fn guides_are_found_by_words_that_fit_into_identifiers() {
        let words: BTreeSet<_> = GUIDES.iter().map(|guide| guide.id).collect();
        assert_eq!(words.len(), GUIDES.len());
        for guide in GUIDES {
            assert!(guide.id.bytes().all(|byte| byte.is_ascii_lowercase()));
            assert!(!guide.protocols.is_empty());
            assert_eq!(Guide::find(guide.id), Some(guide));
        }
        assert_eq!(Guide::generic(Protocol::Oidc).id, "oidc");
    }
}
