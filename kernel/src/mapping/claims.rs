//! The claims document that expressions see (C-27). Never changes what the provider sent.

use serde_json::{Map, Value, json};

use crate::expression::{EvaluationError, Expression, Measure, measure};
use crate::id::{LicenseId, OrganizationId};
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

    /// Returns the groups, as sent.
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
