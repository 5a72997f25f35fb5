//! One row of an import: which columns there are and what they say.

use csv::StringRecord;
use provost_kernel::directory::AccountKind;

use crate::flow::people::{NewPerson, WantedMembership};

/// The columns, in any order; only `email` must be there.
pub const COLUMNS: &[(&str, &str)] = &[
    ("email", "address; the only column that must be there"),
    ("kind", "`user` or `reader`"),
    (
        "connection",
        "the connection that the person signs in through; empty for a password",
    ),
    ("given_name", "given name"),
    ("family_name", "family name"),
    ("display_name", "name to display"),
    ("user_name", "user name"),
    ("external_id", "identifier given by a directory"),
    ("organization", "the organization that the person joins"),
    (
        "roles",
        "roles by id or exact name, separated by semicolons; empty gives the default role",
    ),
    (
        "workspaces",
        "workspaces by id, separated by semicolons, or `all`; empty gives the default ones",
    ),
    ("license", "license pool"),
];

/// A row as it was read.
#[derive(Clone, Debug)]
pub struct ImportRow {
    /// The line of the file.
    pub line: u64,
    /// The person.
    pub person: NewPerson,
}

/// Reads a record. `places` holds the position of each of [`COLUMNS`], where it is there.
///
/// # Errors
/// A sentence.
pub(super) fn read(record: &StringRecord, places: &[Option<usize>], line: u64) -> Result<ImportRow, String> {
    let cell = |name: &str| {
        let at = COLUMNS.iter().position(|(column, _)| *column == name)?;
        let text = record.get((*places.get(at)?)?)?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let list = |name: &str| -> Vec<String> {
        let text = cell(name).unwrap_or_default();
        let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect()
    };
    let Some(email) = cell("email") else {
        return Err("the address is missing".to_owned());
    };
    let kind = match cell("kind").as_deref() {
        None | Some("user") => AccountKind::User,
        Some("reader") => AccountKind::Reader,
        Some(other) => return Err(format!("`{other}` is no kind: user or reader")),
    };
    let (organization, roles, license) = (cell("organization"), list("roles"), cell("license"));
    let workspaces = list("workspaces");
    let all_workspaces = workspaces.iter().any(|one| one == "all");
    let is_member =
        organization.is_some() || !roles.is_empty() || license.is_some() || !workspaces.is_empty();
    let membership = WantedMembership {
        organization,
        roles,
        all_workspaces,
        workspaces: (!workspaces.is_empty() && !all_workspaces).then_some(workspaces),
        license,
    };
    Ok(ImportRow {
        line,
        person: NewPerson {
            email,
            kind,
            connection: cell("connection"),
            user_name: cell("user_name"),
            external_id: cell("external_id"),
            given_name: cell("given_name"),
            family_name: cell("family_name"),
            display_name: cell("display_name"),
            memberships: is_member.then_some(membership).into_iter().collect(),
            ..NewPerson::default()
        },
    })
}
