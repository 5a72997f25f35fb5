//! Conditions and statements of an assertion: times, audience, authentication.

use jiff::Timestamp;

use super::Expected;
use crate::error::{Quote, SamlError};
use crate::time;
use crate::xml::{Node, names};

/// Checks Conditions and returns its NotOnOrAfter, if it has one (SAML core 2.5.1).
pub(super) fn check(
    assertion: Node<'_, '_>,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<Option<Timestamp>, SamlError> {
    let conditions = assertion
        .child(names::SAML, "Conditions")?
        .ok_or(SamlError::ConditionsMissing)?;
    for child in conditions.children() {
        let known = child.namespace() == names::SAML
            && matches!(
                child.local(),
                "AudienceRestriction" | "OneTimeUse" | "ProxyRestriction"
            );
        if !known {
            return Err(SamlError::ConditionUnknown {
                name: child.quoted_name(),
            });
        }
    }
    if let Some(not_before) = conditions.attr("NotBefore") {
        check_not_before(not_before, expected, now)?;
    }
    let end = conditions.attr("NotOnOrAfter").map(time::parse).transpose()?;
    if end.is_some_and(|end| now >= time::later(end, expected.skew())) {
        return Err(SamlError::Expired);
    }
    check_audience(conditions, expected)?;
    Ok(end)
}

/// Refuses a window that has not begun.
pub(super) fn check_not_before(text: &str, expected: &Expected<'_>, now: Timestamp) -> Result<(), SamlError> {
    if time::parse(text)? > time::later(now, expected.skew()) {
        Err(SamlError::NotYetValid)
    } else {
        Ok(())
    }
}

/// Every AudienceRestriction must name us; there must be at least one.
fn check_audience(conditions: Node<'_, '_>, expected: &Expected<'_>) -> Result<(), SamlError> {
    let mut restrictions = 0usize;
    for restriction in conditions.children_named(names::SAML, "AudienceRestriction") {
        restrictions += 1;
        let mut found = Vec::new();
        for audience in restriction.children_named(names::SAML, "Audience") {
            found.push(audience.text()?);
        }
        if !found.iter().any(|audience| audience == expected.sp_entity_id) {
            return Err(SamlError::AudienceMismatch {
                expected: Quote::new(expected.sp_entity_id),
                found: Quote::new(&found.join(" ")),
            });
        }
    }
    if restrictions == 0 {
        Err(SamlError::AudienceMissing)
    } else {
        Ok(())
    }
}

/// What the AuthnStatement says.
pub(super) struct Authentication {
    pub(super) instant: Timestamp,
    pub(super) session_index: Option<String>,
    pub(super) session_end: Option<Timestamp>,
    pub(super) context: Option<String>,
}

/// Reads the first AuthnStatement; the session ends with the earliest end of all.
pub(super) fn read_authentication(
    assertion: Node<'_, '_>,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<Authentication, SamlError> {
    let mut statements = assertion.children_named(names::SAML, "AuthnStatement");
    let first = statements.next().ok_or(SamlError::AuthnStatementMissing)?;
    let mut session_end = first.attr("SessionNotOnOrAfter").map(time::parse).transpose()?;
    for other in statements {
        let end = other.attr("SessionNotOnOrAfter").map(time::parse).transpose()?;
        session_end = session_end.into_iter().chain(end).min();
    }
    if session_end.is_some_and(|end| now >= time::later(end, expected.skew())) {
        return Err(SamlError::SessionExpired);
    }
    let instant = time::parse(first.need_attr("AuthnInstant")?)?;
    if expected
        .authenticated_after
        .is_some_and(|after| instant < time::earlier(after, expected.skew()))
    {
        return Err(SamlError::AuthnTooOld);
    }
    let context = first.child(names::SAML, "AuthnContext")?;
    let class = context
        .map(|c| c.child(names::SAML, "AuthnContextClassRef"))
        .transpose()?
        .flatten();
    let context = class
        .map(Node::text)
        .transpose()?
        .map(std::borrow::Cow::into_owned);
    let demanded = expected.authn_contexts;
    if !demanded.is_empty() && !context.as_ref().is_some_and(|c| demanded.contains(c)) {
        return Err(SamlError::AuthnContextRefused {
            found: Quote::new(context.as_deref().unwrap_or("none")),
        });
    }
    Ok(Authentication {
        instant,
        session_index: first.attr("SessionIndex").map(str::to_owned),
        session_end,
        context,
    })
}
