//! What applying found and did, for people: problems, warnings and the diff. Never shows a secret.

use provost_kernel::id::ConnectionId;
use provost_store::StoreError;

/// One thing that is wrong, with its place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Place, for example `connections[home-okta].policy.role.expression`.
    pub path: String,
    /// What is wrong, as a sentence.
    pub message: String,
}

impl Problem {
    /// Creates a problem.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.path, self.message)
    }
}

/// Why nothing was applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The file contradicts itself, the directory or a rule.
    #[error("{}", listed(.0))]
    Problems(Vec<Problem>),
    /// The database refused or failed.
    #[error("the database refused: {}", crate::error::chain(.0))]
    Store(#[from] StoreError),
    /// The operating system gave no random bytes.
    #[error(transparent)]
    NoRandomness(#[from] crate::world::NoRandomness),
    /// Edited policies could not be tried on people.
    #[error("the guard could not judge: {0}")]
    Guard(String),
    /// A password could not be hashed.
    #[error("a password could not be hashed: {0}")]
    Password(String),
    /// A connection was changed by others after it was read, so that what is to be written would undo that.
    #[error("connection {0} was changed at the same moment; try again")]
    Outrun(ConnectionId),
    /// Not an error: carries the report of a dry run out of its transaction, which is rolled back.
    #[error("dry run")]
    DryRun(Box<Report>),
}

fn listed(problems: &[Problem]) -> String {
    let count = problems.len();
    let mut text = format!(
        "{count} problem{}, nothing was applied:",
        if count == 1 { "" } else { "s" }
    );
    for problem in problems {
        text.push_str("\n  - ");
        text.push_str(&problem.to_string());
    }
    text
}

/// What was done, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Changes in order.
    pub changes: Vec<Change>,
    /// Things worth a look that hinder nothing.
    pub warnings: Vec<Problem>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whether something came, went or changed.
    pub kind: ChangeKind,
    /// What, for example `connection home-okta`.
    pub what: String,
    /// Fields, for example `enabled: true → false`.
    pub fields: Vec<String>,
}

/// Kinds of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// Came into being.
    Created,
    /// Changed.
    Changed,
    /// Went away.
    Deleted,
}

impl Report {
    /// Adds a creation.
    pub(super) fn created(&mut self, what: impl Into<String>, fields: Vec<String>) {
        self.changes.push(Change {
            kind: ChangeKind::Created,
            what: what.into(),
            fields,
        });
    }

    /// Adds a change, unless no field changed.
    pub(super) fn changed(&mut self, what: impl Into<String>, fields: Vec<String>) {
        if !fields.is_empty() {
            self.changes.push(Change {
                kind: ChangeKind::Changed,
                what: what.into(),
                fields,
            });
        }
    }

    /// Adds a deletion.
    pub(super) fn deleted(&mut self, what: impl Into<String>) {
        self.changes.push(Change {
            kind: ChangeKind::Deleted,
            what: what.into(),
            fields: Vec::new(),
        });
    }

    /// Adds a warning.
    pub(super) fn warn(&mut self, path: impl Into<String>, message: impl Into<String>) {
        let warning = Problem::new(path, message);
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Tells whether everything already was as the file says.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for warning in &self.warnings {
            writeln!(formatter, "warning: {warning}")?;
        }
        if self.changes.is_empty() {
            return writeln!(formatter, "no changes");
        }
        for change in &self.changes {
            let mark = match change.kind {
                ChangeKind::Created => '+',
                ChangeKind::Changed => '~',
                ChangeKind::Deleted => '-',
            };
            writeln!(formatter, "{mark} {}", change.what)?;
            for field in &change.fields {
                writeln!(formatter, "    {field}")?;
            }
        }
        let count = |kind| self.changes.iter().filter(|change| change.kind == kind).count();
        writeln!(
            formatter,
            "{} to create, {} to change, {} to delete",
            count(ChangeKind::Created),
            count(ChangeKind::Changed),
            count(ChangeKind::Deleted)
        )
    }
}
