//! The claims document that expressions see (C-27). Never changes what the provider sent.

use serde_json::{Map, Value, json};

use crate::directory::{Account, GroupName};
use crate::expression::{EvaluationError, Expression, Measure, measure};
use crate::id::{ConnectionId, LicenseId, OrganizationId};
use crate::incoming::Incoming;

/// The claims of one sign-in, as expressions see them.
///
/// Top-level names are the provider's own claims, so that `groups` and `email` work unchanged. Five names are ours and
/// win over claims of the same name, so that a provider cannot forge them: `claims` (the provider's claims again),
/// `normalized`, `raw`, `protocol` and `connection`.
#[derive(Clone, Debug)]
pub struct Claims {
    document: Value,
    size: Measure,
    groups: Vec<String>,
}

impl Claims {
    /// Builds the document from a verified identity.
    pub fn of(incoming: &Incoming) -> Self {
        let own = Value::Object(incoming.claims.clone());
        let mut document = incoming.claims.clone();
        document.insert("normalized".to_owned(), normalized(incoming));
        document.insert("raw".to_owned(), own.clone());
        document.insert("claims".to_owned(), own);
        document.insert("protocol".to_owned(), json!(incoming.protocol));
        document.insert("connection".to_owned(), json!(incoming.connection));
        let document = Value::Object(document);
        Self {
            size: measure(&document),
            document,
            groups: incoming.normalized.groups.clone(),
        }
    }

    /// Builds the document from what a directory pushed: `account` is the person as pushed, `pushed` the directory's document.
    ///
    /// Attributes stand at the top level in SCIM spelling, those of extensions too where the core schema has no such name
    /// (and under their URN as well). The usual names of sign-ins (`email`, `given_name`, `family_name`, `groups` …) are
    /// there besides, so that one rule serves both. `groups` holds display names; group tables compare external ids, too.
    pub fn pushed(
        connection: &ConnectionId,
        account: &Account,
        pushed: &Map<String, Value>,
        groups: &[GroupName],
    ) -> Self {
        let mut own = pushed.clone();
        let extensions = pushed.iter().filter(|(name, _)| name.contains(':'));
        for (name, value) in extensions.filter_map(|(_, value)| value.as_object()).flatten() {
            own.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
        let usual = [
            ("email", json!(account.email)),
            ("given_name", json!(account.given_name)),
            ("family_name", json!(account.family_name)),
            ("display_name", json!(account.display_name)),
            ("user_name", json!(account.user_name)),
            ("external_id", json!(account.external_id)),
            ("groups", json!(names)),
        ];
        let normalized = json!({
            "subject": account.external_id.as_ref().or(account.user_name.as_ref()),
            "issuer": null,
            "email": account.email,
            "email_verified": account.email.is_some(),
            "given_name": account.given_name,
            "family_name": account.family_name,
            "display_name": account.display_name,
            "user_name": account.user_name,
            "groups": names,
            "account_id": null,
            "permission_profile_id": null,
        });
        for (name, value) in usual {
            if !value.is_null() {
                own.insert(name.to_owned(), value);
            }
        }
        let mut document = own.clone();
        document.insert("normalized".to_owned(), normalized);
        document.insert("raw".to_owned(), Value::Object(pushed.clone()));
        document.insert("claims".to_owned(), Value::Object(own));
        document.insert("protocol".to_owned(), json!("scim"));
        document.insert("connection".to_owned(), json!(connection));
        let document = Value::Object(document);
        let identifiers = groups.iter().filter_map(|group| group.external_id.clone());
        Self {
            size: measure(&document),
            document,
            groups: groups
                .iter()
                .map(|group| group.name.clone())
                .chain(identifiers)
                .collect(),
        }
    }

    /// Returns the document.
    pub const fn document(&self) -> &Value {
        &self.document
    }

    /// Evaluates an expression of one organization's policy on the claims.
    ///
    /// # Errors
    /// As [`Expression::evaluate`].
    pub(crate) fn evaluate(
        &self,
        expression: &Expression,
        organization: &OrganizationId,
    ) -> Result<Value, EvaluationError> {
        expression.evaluate_measured(&self.document, self.size, organization.as_str())
    }

    /// Returns the size of the document, measured once.
    pub(crate) const fn size(&self) -> Measure {
        self.size
    }

    /// Returns the groups that group tables compare: as sent, or names and external ids of pushed ones.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// Returns the document for workspace rules: with the resulting `role`, `roles` (names) and `license`.
    /// They win over claims of the same name, which stay reachable as `claims.role` and so on.
    pub(crate) fn with_results(&self, roles: &[&str], license: Option<&LicenseId>) -> Value {
        let mut fields = match &self.document {
            Value::Object(fields) => fields.clone(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Map::new()
            }
        };
        fields.insert("role".to_owned(), json!(roles.first()));
        fields.insert("roles".to_owned(), json!(roles));
        fields.insert("license".to_owned(), json!(license));
        Value::Object(fields)
    }
}

fn normalized(incoming: &Incoming) -> Value {
    let ours = &incoming.normalized;
    json!({
        "subject": incoming.subject.value,
        "issuer": incoming.subject.issuer,
        "email": ours.email,
        "email_verified": ours.email_verified,
        "given_name": ours.given_name,
        "family_name": ours.family_name,
        "display_name": ours.display_name,
        "user_name": ours.user_name,
        "groups": ours.groups,
        "account_id": ours.account_id,
        "permission_profile_id": ours.permission_profile_id,
    })
}
