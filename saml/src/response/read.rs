//! Reads the small shared elements: Status and NameID.

use crate::error::{Quote, SamlError};
use crate::response::NameId;
use crate::xml::{Node, names};

/// Longest NameID in bytes. SAML core 8.3.7 caps persistent ones at 256 characters.
const MAX_NAME_ID: usize = 1024;

/// A protocol status (SAML core 3.2.2.1).
#[derive(Debug)]
pub(crate) struct Status {
    code: String,
    subcode: String,
    message: String,
}

impl Status {
    /// Whether the top-level code is Success.
    pub(crate) fn is_success(&self) -> bool {
        self.code == names::STATUS_SUCCESS
    }

    /// Whether a logout reached only some of the session participants.
    pub(crate) fn is_partial_logout(&self) -> bool {
        self.subcode == names::STATUS_PARTIAL_LOGOUT
    }

    /// Refuses everything but success.
    pub(crate) fn need_success(&self) -> Result<(), SamlError> {
        if self.is_success() {
            return Ok(());
        }
        let short = |uri: &str| Quote::new(uri.rsplit(':').next().unwrap_or_default());
        Err(SamlError::Status {
            code: short(&self.code),
            subcode: short(&self.subcode),
            message: Quote::new(&self.message),
        })
    }
}

/// Reads the Status of a response message.
pub(crate) fn read_status(response: Node<'_, '_>) -> Result<Status, SamlError> {
    let status = response.need_child(names::SAMLP, "Status")?;
    let code = status.need_child(names::SAMLP, "StatusCode")?;
    let subcode = code.child(names::SAMLP, "StatusCode")?;
    let message = status.child(names::SAMLP, "StatusMessage")?;
    Ok(Status {
        code: code.need_attr("Value")?.to_owned(),
        subcode: subcode
            .and_then(|s| s.attr("Value"))
            .unwrap_or_default()
            .to_owned(),
        message: message
            .map(Node::text)
            .transpose()?
            .unwrap_or_default()
            .into_owned(),
    })
}

/// Reads a NameID exactly: nothing is trimmed, folded or decoded further.
pub(crate) fn read_name_id(node: Node<'_, '_>) -> Result<NameId, SamlError> {
    let value = node.text()?.into_owned();
    if value.is_empty() {
        return Err(SamlError::NameIdMissing);
    }
    if value.len() > MAX_NAME_ID || value.chars().any(char::is_control) {
        return Err(SamlError::NameIdRefused);
    }
    let owned = |name| node.attr(name).filter(|v| !v.is_empty()).map(str::to_owned);
    Ok(NameId {
        value,
        format: owned("Format"),
        name_qualifier: owned("NameQualifier"),
        sp_name_qualifier: owned("SPNameQualifier"),
    })
}
