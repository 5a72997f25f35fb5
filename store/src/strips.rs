//! From whom a connection's rules took access lately, for its guard, and approvals to go on. Never judges.

use jiff::Timestamp;
use provost_kernel::facts::Strips;
use provost_kernel::id::{AccountId, ConnectionId, OrganizationId};

use crate::error::Result;
use crate::tx::{Reader, Tx};
use crate::value::binds;

impl Tx {
    /// Notes that rules took access from somebody in these organizations, and forgets notes that are older than a week.
    ///
    /// # Errors
    /// `engine`.
    pub async fn note_strips(
        &mut self,
        connection: &ConnectionId,
        account: &AccountId,
        organizations: &[OrganizationId],
        now: Timestamp,
    ) -> Result<()> {
        const WEEK: i64 = 7 * 24 * 3600 * 1000;
        for organization in organizations {
            let sql = "INSERT INTO strips (connection, organization, account, at) VALUES ($1, $2, $3, $4) \
                       ON CONFLICT (connection, organization, account) DO UPDATE SET at = excluded.at";
            self.run(sql, binds![connection, organization, account, now])
                .await?;
        }
        let sql = "DELETE FROM strips WHERE at < $1";
        self.run(sql, binds![now.as_millisecond() - WEEK]).await.map(drop)
    }

    /// Lets a connection's rules go on taking access in an organization until a moment.
    ///
    /// # Errors
    /// `conflict` (`foreign_key`) if connection or organization do not exist.
    pub async fn approve_strips(
        &mut self,
        connection: &ConnectionId,
        organization: &OrganizationId,
        until: Timestamp,
    ) -> Result<()> {
        let sql = "INSERT INTO strip_approvals (connection, organization, until) VALUES ($1, $2, $3) \
                   ON CONFLICT (connection, organization) DO UPDATE SET until = excluded.until";
        self.run(sql, binds![connection, organization, until])
            .await
            .map(drop)
    }
}

impl Reader {
    /// Counts from how many others than `account` a connection's rules took access in an organization since a moment.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn strips(
        &mut self,
        connection: &ConnectionId,
        organization: &OrganizationId,
        account: &AccountId,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Strips> {
        let sql = "SELECT (SELECT COUNT(*) FROM strips WHERE connection = $1 AND organization = $2 AND account <> $3 \
                   AND at >= $4), (SELECT COUNT(*) FROM memberships WHERE organization = $2 AND active = 1), \
                   (SELECT COUNT(*) FROM strip_approvals WHERE connection = $1 AND organization = $2 AND until > $5)";
        let row = self
            .row(sql, binds![connection, organization, account, since, now])
            .await?;
        let Some(mut row) = row else {
            return Ok(Strips::default());
        };
        Ok(Strips {
            recent: row.count("strips.recent")?,
            members: row.count("strips.members")?,
            approved: row.int("strips.approved")? > 0,
        })
    }
}
