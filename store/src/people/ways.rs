//! The ways in which a page of an organization's members is found. A filter that hardly anybody fits is read off an index in the
//! order of the list; what nearly everybody fits costs little by walking the list. Of several filters the rarest leads, so that
//! only who fits that one is looked at.

use provost_kernel::directory::{AccountKind, Status};
use provost_kernel::id::{AccountId, RoleId, WorkspaceId};

use super::{GrantedBy, PeopleFilter, SignsIn};
use crate::beginning::Beginning;
use crate::conditions::Conditions;
use crate::error::Result;
use crate::tx::Reader;
use crate::value::{Bind, binds, to_word};

/// How many people make a filter one that walking the list answers soon enough.
const MANY: u32 = 1_000;

/// The holders `h` of something, with their memberships.
const HOLDS: &str = "JOIN memberships m ON m.account = h.account AND m.organization = h.organization";

/// A filter that an index answers in the order of the list.
#[derive(Clone, Copy)]
enum Lead<'a> {
    Role(&'a RoleId),
    Source(GrantedBy),
    Workspace(&'a WorkspaceId),
    Status(Status),
    /// Whether the account is bound to a connection.
    Bound(bool),
    Readers,
    Pinned,
    Waiting,
}

/// A part of an index in the order of the list.
struct Way {
    /// The table, as `h` or, if it is that of memberships, as `m`.
    table: &'static str,
    /// What is read of it, besides that it is about organization `$1`.
    condition: String,
}

/// What is known of a filter before its statement is written.
struct Known<'a> {
    /// The text's beginning, and whether it is a common one.
    beginning: Option<(bool, Beginning)>,
    /// Whether hardly anybody signs in through the wanted connection.
    is_connection_rare: bool,
    lead: Option<Lead<'a>>,
}

impl Reader {
    /// Lists the ids of members, newest account first.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn people_ids(&mut self, filter: &PeopleFilter, limit: u32) -> Result<Vec<AccountId>> {
        let known = self.known(filter).await?;
        let (sql, values) = filter.select(&known, limit)?;
        self.account_ids(&sql, values).await
    }

    /// Tells how the database would read [`Self::people_ids`], line by line.
    ///
    /// # Errors
    /// As [`Self::people_ids`].
    pub async fn explain_people(&mut self, filter: &PeopleFilter, limit: u32) -> Result<Vec<String>> {
        let known = self.known(filter).await?;
        let (sql, values) = filter.select(&known, limit)?;
        self.explain_sql(&sql, values).await
    }

    async fn known<'a>(&mut self, filter: &'a PeopleFilter) -> Result<Known<'a>> {
        let beginning = match filter.text.as_deref().map(Beginning::of) {
            Some(beginning) => Some((self.is_common(&beginning).await?, beginning)),
            None => None,
        };
        let is_connection_rare = match &filter.signs_in {
            // Who was deleted is in no order of a connection.
            Some(SignsIn::Connection(connection)) if filter.status != Some(Status::Deleted) => {
                self.count_bound(connection).await? < u64::from(MANY)
            }
            _ => false,
        };
        let few = matches!(&beginning, Some((false, _))) || is_connection_rare;
        let mut leads = filter.leads();
        // Who is among a few is looked at one by one.
        let lead = if few || filter.unseen_since.is_some() {
            None
        } else if leads.len() > 1 {
            self.rarest(filter, &leads).await?
        } else {
            leads.pop()
        };
        Ok(Known {
            beginning,
            is_connection_rare,
            lead,
        })
    }

    /// Finds the filter that the fewest fit. Counts no further than where walking the list is as good.
    async fn rarest<'a>(&mut self, filter: &PeopleFilter, leads: &[Lead<'a>]) -> Result<Option<Lead<'a>>> {
        let mut asked = Conditions::new("", binds![&filter.organization, MANY]);
        let mut counts = Vec::new();
        for (number, lead) in leads.iter().enumerate() {
            for Way { table, condition } in lead.ways(&mut asked)? {
                let of = if table.ends_with(" m") { "m" } else { "h" };
                counts.push(format!(
                    "SELECT CAST({number} AS BIGINT) AS lead, COUNT(*) AS n FROM (SELECT 1 AS one FROM {table} \
                     WHERE {of}.organization = $1 AND {condition} LIMIT $2) c{number}"
                ));
            }
        }
        let sql = format!(
            "SELECT lead FROM ({}) counted GROUP BY lead ORDER BY SUM(n), lead LIMIT 1",
            counts.join(" UNION ALL ")
        );
        let row = self.row(&sql, asked.values).await?;
        let lead = row.map(|mut row| row.count("leads")).transpose()?;
        Ok(lead.and_then(|lead| leads.get(usize::try_from(lead).ok()?).copied()))
    }
}

impl Lead<'_> {
    /// The parts of indexes that together hold whoever fits, each in the order of the list.
    fn ways(self, wanted: &mut Conditions) -> Result<Vec<Way>> {
        let way = |table, condition| Way { table, condition };
        let (roles, workspaces, members) = ("membership_roles h", "membership_workspaces h", "memberships m");
        Ok(match self {
            Self::Role(role) => vec![way(roles, format!("h.role = {}", wanted.add(role)))],
            Self::Source(GrantedBy::Pin) => vec![
                way(roles, "h.pinned = 1".to_owned()),
                way(
                    members,
                    "m.pinned = 1 AND EXISTS (SELECT 1 FROM membership_roles r WHERE r.account = m.account \
                     AND r.organization = m.organization)"
                        .to_owned(),
                ),
            ],
            Self::Source(source) => vec![way(roles, source.condition("h"))],
            Self::Workspace(workspace) => vec![
                way(workspaces, format!("h.workspace = {}", wanted.add(workspace))),
                way(members, "m.all_workspaces IS NOT NULL".to_owned()),
            ],
            Self::Status(status) => {
                let status = wanted.add(to_word(&status)?);
                vec![way(members, format!("m.account_status = {status}"))]
            }
            Self::Bound(bound) => vec![way(members, format!("m.account_bound = {}", wanted.add(bound)))],
            // Both, for SQLite to see that the index of those who are no users will do.
            Self::Readers => vec![way(
                members,
                "m.account_kind = 'reader' AND m.account_kind <> 'user'".to_owned(),
            )],
            Self::Pinned => vec![way(members, "m.pinned = 1".to_owned())],
            Self::Waiting => vec![way(members, "m.license_seated = 0".to_owned())],
        })
    }
}

impl GrantedBy {
    /// Returns the condition on a row of the roles of membership `m`.
    fn condition(self, row: &str) -> String {
        let kind = match self {
            Self::Manual => "manual",
            Self::Rule => "rule",
            Self::Scim => "scim",
            Self::Invitation => "invitation",
            Self::Import => "import",
            Self::Group => "group",
            Self::Pin => return format!("({row}.pinned = 1 OR m.pinned = 1)"),
        };
        format!("{{json:{row}.source}} ->> 'kind' = '{kind}'")
    }
}

impl PeopleFilter {
    /// The filters that an index answers.
    fn leads(&self) -> Vec<Lead<'_>> {
        let mut leads = Vec::new();
        leads.extend(self.waiting.then_some(Lead::Waiting));
        leads.extend(self.pinned.then_some(Lead::Pinned));
        leads.extend(self.status.map(Lead::Status));
        leads.extend(match self.signs_in {
            Some(SignsIn::Password) => Some(Lead::Bound(false)),
            Some(SignsIn::Sso) => Some(Lead::Bound(true)),
            Some(SignsIn::Connection(_)) | None => None,
        });
        leads.extend((self.kind == Some(AccountKind::Reader)).then_some(Lead::Readers));
        leads.extend(self.source.map(Lead::Source));
        leads.extend(self.workspace.as_ref().map(Lead::Workspace));
        leads.extend(self.role.as_ref().map(Lead::Role));
        leads
    }

    /// Writes the select of the ids.
    fn select(&self, known: &Known<'_>, limit: u32) -> Result<(String, Vec<Bind>)> {
        let mut wanted = self.conditions(known, limit)?;
        let ways = match known.lead {
            Some(lead) => lead.ways(&mut wanted)?,
            None => vec![Way {
                table: "memberships m",
                condition: "1 = 1".to_owned(),
            }],
        };
        let before = self.before.as_ref().map(|before| wanted.add(before));
        let mut parts = Vec::new();
        for Way { table, condition } in ways {
            let (account, from, of) = if table.ends_with(" m") {
                ("m.account", table.to_owned(), "m.organization = $1")
            } else {
                let of = "{aside}m.organization = $1 AND h.organization = $1";
                ("h.account", format!("{table} {HOLDS}"), of)
            };
            let before = before
                .as_ref()
                .map_or_else(String::new, |before| format!(" AND {account} < {before}"));
            parts.push(format!(
                "SELECT DISTINCT {account} AS account FROM {from} JOIN accounts a ON a.id = m.account \
                 WHERE {of} AND {condition}{before} AND {} ORDER BY {account} DESC LIMIT $2",
                wanted.text
            ));
        }
        let sql = match parts.as_slice() {
            [part] => part.clone(),
            parts => {
                let parts = parts
                    .iter()
                    .enumerate()
                    .map(|(number, part)| format!("SELECT account FROM ({part}) p{number}"));
                let parts: Vec<String> = parts.collect();
                format!("{} ORDER BY account DESC LIMIT $2", parts.join(" UNION "))
            }
        };
        Ok((sql, wanted.values))
    }

    /// Writes what everybody in the list fits, whatever leads.
    fn conditions(&self, known: &Known<'_>, limit: u32) -> Result<Conditions> {
        let mut wanted = Conditions::new("1 = 1", binds![&self.organization, limit]);
        match &self.status {
            Some(status) => wanted.hold("{aside}m.account_status = {}", to_word(status)?),
            None => wanted.always("{aside}m.account_status <> 'deleted'"),
        }
        if let Some(kind) = &self.kind {
            wanted.hold("{aside}m.account_kind = {}", to_word(kind)?);
        }
        match &self.signs_in {
            Some(SignsIn::Password) => wanted.always("{aside}m.account_bound = 0"),
            Some(SignsIn::Sso) => wanted.always("{aside}m.account_bound = 1"),
            Some(SignsIn::Connection(connection)) if known.is_connection_rare => wanted.hold(
                "m.account IN ({of}SELECT id FROM accounts WHERE connection = {} AND deleted = 0{end})",
                connection,
            ),
            Some(SignsIn::Connection(connection)) => wanted.hold("{aside}a.connection = {}", connection),
            None => {}
        }
        if let Some(role) = &self.role {
            let holds = "EXISTS (SELECT 1 FROM membership_roles r WHERE r.account = m.account \
                         AND r.organization = m.organization AND r.role = {})";
            wanted.hold(holds, role);
        }
        if let Some(source) = self.source {
            wanted.always(&format!(
                "EXISTS (SELECT 1 FROM membership_roles r WHERE r.account = m.account AND r.organization = m.organization \
                 AND {})",
                source.condition("r")
            ));
        }
        if let Some(workspace) = &self.workspace {
            let enters = "(m.all_workspaces IS NOT NULL OR EXISTS (SELECT 1 FROM membership_workspaces w \
                          WHERE w.account = m.account AND w.organization = m.organization AND w.workspace = {}))";
            wanted.hold(enters, workspace);
        }
        if let Some(since) = self.unseen_since {
            // Driven by the last sign-ins: a rare filter must not walk through all members.
            let unseen = "m.account IN ({of}SELECT l.account FROM last_claims l JOIN connections c ON c.id = l.connection \
                          WHERE c.organization = $1 AND l.at < {} AND NOT EXISTS (SELECT 1 FROM last_claims n \
                          WHERE n.account = l.account AND n.at >= {}){end})";
            wanted.hold(unseen, since);
        }
        if self.pinned {
            wanted.always("{aside}m.pinned = 1");
        }
        if self.waiting {
            wanted.always("{aside}m.license_seated = 0");
        }
        if let Some((is_common, beginning)) = &known.beginning {
            beginning.hold(*is_common, &mut wanted);
        }
        Ok(wanted)
    }
}
