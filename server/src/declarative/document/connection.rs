//! Connections in the declarative file: who they serve, the protocol, and the settings C-01 to C-29.

use std::collections::BTreeMap;

use provost_kernel::attribute::AttributeDefinition;
use provost_kernel::connection::{
    EmailUpdate, ExistingAccount, FieldSync, InviteOn, LicenseAt, MatchStep, NameComparison, OnAmbiguous,
    OnInactiveMatch, OnLostMatch, OnNoRole, OnNoSeat, Protocol, Provisioning, RoleSync, Settings, StripGuard,
};
use provost_kernel::policy::{OrganizationPolicy, Policy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ScimEntry, SecretText, is_default, is_false, is_true, yes};
use crate::connection_config::{ClientAuthentication, IdpInitiated, RequestBinding};

/// A connection to one identity provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectionEntry {
    /// Identifier: in the connection's URLs. Never changes.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$"))]
    pub id: String,
    /// Label of the sign-in button; the identifier if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The organization that owns the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// `instance` for a connection of all organizations; otherwise `organization` (C-20).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopeWord>,
    /// Further organizations that the connection may admit to (C-20).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_with: Vec<String>,
    /// Protocol spoken with the identity provider.
    pub protocol: Protocol,
    /// Whether people may sign in through it.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub enabled: bool,
    /// The SAML side, where `protocol` is `saml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saml: Option<SamlEntry>,
    /// The OpenID Connect side, where `protocol` is `oidc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<OidcEntry>,
    /// Domains served; each must be a verified domain of an organization in reach.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    /// How accounts come into being: `manual`, `jit` or `scim`; one value, so two at once cannot be stored (C-01, R-07).
    #[serde(default, skip_serializing_if = "is_default")]
    pub provisioning: Provisioning,
    /// Directory push.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scim: Option<ScimEntry>,
    /// Attributes of people beyond the standard ones, such as `nfc`, from pushes, claims and by hand (R-83, R-84, C-28).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<AttributeDefinition>,
    /// Ordered match steps (C-12).
    #[serde(default = "default_match", skip_serializing_if = "is_default_match")]
    #[serde(rename = "match")]
    pub match_chain: Vec<MatchStep>,
    /// Several candidates in one step (R-128).
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_ambiguous: OnAmbiguous,
    /// How names are compared (C-13).
    #[serde(default, skip_serializing_if = "is_default")]
    pub name_comparison: NameComparison,
    /// An existing standard account found by matching (C-11).
    #[serde(default, skip_serializing_if = "is_default")]
    pub existing_account: ExistingAccount,
    /// A match that is not active (C-06).
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_inactive_match: OnInactiveMatch,
    /// A different e-mail asserted for a known person (C-14).
    #[serde(default, skip_serializing_if = "is_default")]
    pub email_update: EmailUpdate,
    /// Whether JIT and linking work only inside verified domains (C-15).
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub require_domain: bool,
    /// When rules are evaluated again for existing members (C-07).
    #[serde(default, skip_serializing_if = "is_default")]
    pub role_sync: RoleSync,
    /// Another mode than `role_sync` for roles, workspaces or license, and one for names, e-mail and attributes, which else follow
    /// the provider until somebody edits them by hand (R-141).
    #[serde(default, skip_serializing_if = "is_default")]
    pub sync: FieldSync,
    /// No role results (C-08).
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_no_role: OnNoRole,
    /// An existing member no longer matches (C-09).
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_lost_match: OnLostMatch,
    /// Whether an account is kept that no organization accepts (C-10).
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub keep_unplaced: bool,
    /// Whether "all workspaces" includes later ones (C-17).
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub all_includes_future: bool,
    /// No free seat (C-23): `refuse`, `queue` or `{ other: LICENSE }`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_no_seat: OnNoSeat,
    /// Whether a pushed person gets the license when the account is made, or at the first sign-in (C-23).
    #[serde(default, alias = "license_at", skip_serializing_if = "is_default")]
    pub licence_at: LicenseAt,
    /// Who is told by mail about a new account (C-22): people added by hand, moved from a password, pushed by the directory.
    #[serde(default, skip_serializing_if = "is_default")]
    pub invite_on: InviteOn,
    /// When rules that take access from many people of an organization wait for an admin's approval; `null` never.
    #[serde(
        default = "default_strip_guard",
        skip_serializing_if = "is_default_strip_guard"
    )]
    pub strip_guard: Option<StripGuard>,
    /// Minutes without use after which a session of this connection ends (R-118). Absent: the installation's
    /// `session_idle_minutes`; 0: only by its age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 43200))]
    pub idle_minutes: Option<u32>,
    /// Default policy, for organizations without one of their own (R-65).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Policies of single organizations, used instead of the default (R-66).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub organization_policies: Vec<OrganizationPolicy>,
}

impl ConnectionEntry {
    /// Collects the settings that decisions see.
    pub fn settings(&self) -> Settings {
        Settings {
            match_chain: self.match_chain.clone(),
            on_ambiguous: self.on_ambiguous,
            name_comparison: self.name_comparison,
            existing_account: self.existing_account,
            on_inactive_match: self.on_inactive_match,
            email_update: self.email_update,
            require_domain: self.require_domain,
            role_sync: self.role_sync,
            sync: self.sync,
            on_no_role: self.on_no_role,
            on_lost_match: self.on_lost_match,
            keep_unplaced: self.keep_unplaced,
            all_includes_future: self.all_includes_future,
            on_no_seat: self.on_no_seat.clone(),
            licence_at: self.licence_at,
            invite_on: self.invite_on,
            strip_guard: self.strip_guard,
            idle_minutes: self.idle_minutes,
            directory: self.scim.as_ref().map(ScimEntry::directory).unwrap_or_default(),
            attributes: self.attributes.clone(),
        }
    }
}

fn default_match() -> Vec<MatchStep> {
    Settings::default().match_chain
}

fn is_default_match(chain: &Vec<MatchStep>) -> bool {
    *chain == default_match()
}

#[expect(clippy::unnecessary_wraps, reason = "serde wants the type of the field")]
fn default_strip_guard() -> Option<StripGuard> {
    Some(StripGuard::default())
}

#[expect(clippy::ref_option, reason = "serde hands the field by reference")]
fn is_default_strip_guard(guard: &Option<StripGuard>) -> bool {
    *guard == default_strip_guard()
}

/// Reach of a connection, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScopeWord {
    /// All organizations of the instance.
    Instance,
    /// The owning organization and those it is shared with.
    Organization,
}

/// The SAML side of a connection. The identity provider is given by `metadata_file`, by `metadata_url`, by `metadata`, or by
/// `entity_id`, `sso_url` (or `sso_post_url`) and `certificates`. Our keys are made once and kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SamlEntry {
    /// Metadata of the identity provider, beside this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_file: Option<String>,
    /// Address of the metadata; read again every hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_url: Option<String>,
    /// The metadata document itself. What it says is kept as fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
    /// Entity ID of the identity provider. Beside metadata: which of several, or a check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity_id: Option<String>,
    /// Single sign-on address for the Redirect binding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sso_url: Option<String>,
    /// Single sign-on address for the POST binding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sso_post_url: Option<String>,
    /// Single logout address for the Redirect binding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slo_url: Option<String>,
    /// Single logout address for the POST binding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slo_post_url: Option<String>,
    /// Where logout responses go, if elsewhere than requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slo_response_url: Option<String>,
    /// Signing certificates of the identity provider: PEM, or base64 of the DER form. Any of them may have signed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<String>,
    /// Our entity ID, if another than the address of our metadata; for migrations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sp_entity_id: Option<String>,
    /// Binding of our requests.
    #[serde(skip_serializing_if = "is_default")]
    pub request_binding: RequestBinding,
    /// Whether our requests are signed. Absent: as the metadata asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_requests: Option<bool>,
    /// NameID format to ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_id_format: Option<String>,
    /// Authentication contexts to ask for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requested_authn_context: Vec<String>,
    /// Whether to ask for a fresh authentication each time.
    #[serde(skip_serializing_if = "is_false")]
    pub force_authn: bool,
    /// Accepts sign-ins that begin at the identity provider, and says where they may lead (R-117).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idp_initiated: Option<IdpInitiated>,
    /// Allowed difference of clocks in seconds, at most 300.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 300))]
    pub clock_skew_seconds: Option<u32>,
    /// Accepts AES-CBC inside a signed response; for identity providers that cannot do GCM.
    #[serde(skip_serializing_if = "is_false")]
    pub allow_cbc: bool,
    /// Attribute names by field (`subject`, `email`, `given_name`, `family_name`, `display_name`, `user_name`, `groups`,
    /// `account_id`, `permission_profile_id`), where the identity provider's differ from the usual ones.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// The OpenID Connect side of a connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OidcEntry {
    /// Issuer, exactly as the provider writes it.
    pub issuer: String,
    /// Our client id there.
    pub client_id: String,
    /// Our client secret there. Absent in a later file: the stored one stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<SecretText>,
    /// PKCS#8 private key (PEM) for `private_key_jwt`. Absent in a later file: the stored one stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_key: Option<SecretText>,
    /// How we authenticate at the token endpoint.
    #[serde(default, skip_serializing_if = "is_default")]
    pub client_authentication: ClientAuthentication,
    /// Scopes to ask for.
    #[serde(default = "default_scopes", skip_serializing_if = "is_default_scopes")]
    pub scopes: Vec<String>,
    /// Accepted algorithms of ID tokens; empty means every asymmetric one that we know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub id_token_algorithms: Vec<String>,
    /// Whether claims are also read from userinfo.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub userinfo: bool,
    /// Tenant, for providers whose issuer holds a template (`{tenantid}`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// JMESPath to the identifier; absent means `sub` (R-142).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifier_path: Option<String>,
    /// JMESPath to the e-mail; absent means `email` (R-142).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email_path: Option<String>,
    /// JMESPath to the display name; absent means `name` (R-142).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_path: Option<String>,
    /// Allowed difference of clocks in seconds, at most 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 300))]
    pub clock_skew_seconds: Option<u32>,
    /// Whether signing out here also signs out at the provider (R-119).
    #[serde(default, skip_serializing_if = "is_false")]
    pub upstream_logout: bool,
}

fn default_scopes() -> Vec<String> {
    ["openid", "profile", "email"].map(str::to_owned).to_vec()
}

fn is_default_scopes(scopes: &Vec<String>) -> bool {
    *scopes == default_scopes()
}
