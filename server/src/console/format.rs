//! Values as texts of pages: times, numbers, people, sources. Never asks anything.

use jiff::Timestamp;
use provost_kernel::directory::{Account, Authentication, Membership, Source, Status};
use serde::Serialize;
use serde_json::Value;

use super::shell::Shell;
use super::words::Language;

/// Writes a time, to the minute, in UTC.
pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

/// Writes a number with groups of three.
pub fn number(number: u64, language: Language) -> String {
    let separator = match language {
        Language::En => ',',
        Language::De => '.',
    };
    let digits: Vec<char> = number.to_string().chars().collect();
    let mut text = String::with_capacity(digits.len() * 2);
    for (place, digit) in digits.iter().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(separator);
        }
        text.push(*digit);
    }
    text
}

/// Writes a value that serde writes as a plain string.
pub fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => text,
        Ok(_) | Err(_) => String::new(),
    }
}

/// Names a person: display name, else given and family name, else address, user name or id.
pub fn name(account: &Account) -> String {
    let parts: Vec<&str> = [account.given_name.as_deref(), account.family_name.as_deref()]
        .into_iter()
        .flatten()
        .collect();
    account
        .display_name
        .clone()
        .filter(|name| !name.trim().is_empty())
        .or_else(|| (!parts.is_empty()).then(|| parts.join(" ")))
        .or_else(|| account.email.as_ref().map(ToString::to_string))
        .or_else(|| account.user_name.clone())
        .unwrap_or_else(|| account.id.to_string())
}

/// Returns the address, else the user name.
pub fn address(account: &Account) -> String {
    account
        .email
        .as_ref()
        .map(ToString::to_string)
        .or_else(|| account.user_name.clone())
        .unwrap_or_default()
}

/// Returns the connection of an SSO account.
pub fn connection(account: &Account) -> Option<String> {
    match &account.authentication {
        Authentication::Standard => None,
        Authentication::Sso { connection } => Some(connection.to_string()),
    }
}

/// Returns the key of a source's name.
pub const fn source_key(source: &Source, pinned: bool) -> &'static str {
    if pinned {
        return "source.pinned";
    }
    match source {
        Source::Manual => "source.manual",
        Source::Rule { .. } => "source.rule",
        Source::Scim { .. } => "source.scim",
        Source::Invitation => "source.invitation",
        Source::Import => "source.import",
        Source::Group { .. } => "source.some_group",
    }
}

/// Says who granted something in a membership: from which of its groups, if one did.
pub fn source(shell: &Shell, held: &Membership, source: &Source, pinned: bool) -> String {
    if let Source::Group { group } = source
        && let Some(known) = held.groups.iter().find(|known| known.id == *group)
    {
        return shell.t1("source.group", &known.name);
    }
    shell.t(source_key(source, pinned || held.pinned)).to_owned()
}

/// Returns the tone and the key of a state's name.
pub const fn status(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::Active => ("good", "status.active"),
        Status::Invited => ("idle", "status.invited"),
        Status::Suspended => ("warn", "status.suspended"),
        Status::Deactivated => ("bad", "status.deactivated"),
        Status::Deleted => ("bad", "status.deleted"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Language, number};

    #[test]
    fn numbers_have_groups_of_three() {
        assert_eq!(number(0, Language::En), "0");
        assert_eq!(number(999, Language::En), "999");
        assert_eq!(number(1_000, Language::En), "1,000");
        assert_eq!(number(1_234_567, Language::De), "1.234.567");
    }
}
