//! The log of requests to the SCIM addresses and the counts of it: written in batches, apart from the
//! requests themselves. Never masks: the server hands in what may be kept.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provost_kernel::id::ConnectionId;

use crate::engine::batch::Insert;
use crate::error::Result;
use crate::tx::{Reader, Tx};
use crate::value::{Bind, Row, binds};

/// One request to a SCIM address with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScimRequest {
    /// Identifier of the request, unique; sorts by time among requests of the same millisecond.
    pub id: String,
    /// The connection that the address names, whether it exists or not; empty if it names none.
    pub connection: String,
    /// When it came.
    pub at: Timestamp,
    /// Method, upper case.
    pub method: String,
    /// Path and query below the connection's base address.
    pub path: String,
    /// Protocol version of the address: `1.1` or `2.0`.
    pub version: String,
    /// What was wanted, as a stable word, for example `user.create`.
    pub action: String,
    /// Identifier of the resource that it was about.
    pub target: Option<String>,
    /// The token that it came with; none for a request without a valid one.
    pub token: Option<String>,
    /// HTTP status of the answer.
    pub status: u16,
    /// How it ended, as a stable word, for example `done`, `refused`, `unauthenticated` or `failed`.
    pub outcome: String,
    /// Code of the error.
    pub code: Option<String>,
    /// The error in words, as the client saw it.
    pub detail: Option<String>,
    /// How long it took, in microseconds.
    pub duration_us: i64,
    /// Address of the client.
    pub remote: Option<String>,
    /// `User-Agent` of the client.
    pub user_agent: Option<String>,
    /// Reference of the decision's trace.
    pub trace: Option<String>,
    /// Body of the request, masked.
    pub request: Option<String>,
    /// Body of the answer, masked.
    pub response: Option<String>,
}

/// Which requests to list; all conditions hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScimRequestFilter {
    /// To this connection; empty: to addresses of no connection.
    pub connection: Option<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// With one of these outcomes; empty: any.
    pub outcomes: Vec<String>,
    /// With a status in this range, both ends included.
    pub status: Option<(u16, u16)>,
    /// With this method.
    pub method: Option<String>,
    /// With this text in the path, whatever its case.
    pub path: Option<String>,
    /// About this resource.
    pub target: Option<String>,
    /// Older than this one: time and id of the last request of the page before.
    pub before: Option<(Timestamp, String)>,
}

/// What is known of the requests to a connection since a moment, exact to the hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScimTraffic {
    /// Requests.
    pub requests: u64,
    /// Those answered with a status of 500 or above.
    pub failures: u64,
    /// Those answered with a status from 400 to 499.
    pub refusals: u64,
    /// The last request.
    pub last_at: Option<Timestamp>,
    /// The last one that was answered with a status below 400.
    pub last_success_at: Option<Timestamp>,
}

const COLUMNS: &str = "id, connection, at, method, path, version, action, target, token, status, outcome, code, detail, \
                       duration_us, remote, user_agent, trace, request, response";

const HOUR: i64 = 3_600_000;

impl Tx {
    /// Writes requests to the log and counts them.
    ///
    /// # Errors
    /// `conflict` for an id used twice; `refused` for a text with a NUL on PostgreSQL.
    pub async fn insert_scim_requests(&mut self, requests: &[ScimRequest]) -> Result<()> {
        let rows = requests.iter().map(request_row).collect();
        let into = "INSERT INTO scim_requests (id, connection, at, method, path, path_key, version, action, target, token, \
                    status, outcome, code, detail, duration_us, remote, user_agent, trace, request, response)";
        self.insert_later(Insert::plain(into, rows, ""));
        let mut counts: BTreeMap<(&str, i64), ScimTraffic> = BTreeMap::new();
        for request in requests {
            let hour = request.at.as_millisecond().div_euclid(HOUR);
            let count = counts.entry((&request.connection, hour)).or_default();
            count.requests += 1;
            count.failures += u64::from(request.status >= 500);
            count.refusals += u64::from((400..500).contains(&request.status));
            count.last_at = count.last_at.max(Some(request.at));
            if request.status < 400 {
                count.last_success_at = count.last_success_at.max(Some(request.at));
            }
        }
        for ((connection, hour), count) in counts {
            self.count_traffic(connection, hour, &count).await?;
        }
        Ok(())
    }

    async fn count_traffic(&mut self, connection: &str, hour: i64, count: &ScimTraffic) -> Result<()> {
        let sql = "INSERT INTO scim_traffic (connection, hour, requests, failures, refusals, last_at, last_success_at) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (connection, hour) DO UPDATE SET \
                   requests = scim_traffic.requests + excluded.requests, \
                   failures = scim_traffic.failures + excluded.failures, \
                   refusals = scim_traffic.refusals + excluded.refusals, \
                   last_at = CASE WHEN excluded.last_at > scim_traffic.last_at THEN excluded.last_at \
                   ELSE scim_traffic.last_at END, last_success_at = CASE WHEN excluded.last_success_at > \
                   COALESCE(scim_traffic.last_success_at, 0) THEN excluded.last_success_at \
                   ELSE scim_traffic.last_success_at END";
        let row = binds![
            connection,
            hour,
            signed(count.requests),
            signed(count.failures),
            signed(count.refusals),
            count.last_at,
            count.last_success_at,
        ];
        self.run(sql, row).await.map(drop)
    }

    /// Removes up to `batch` requests that came before a moment, and counts as old. Returns how many rows went; repeat
    /// until that is 0.
    ///
    /// # Errors
    /// `engine`.
    pub async fn purge_scim_requests(&mut self, before: Timestamp, batch: u32) -> Result<u64> {
        let sql = "DELETE FROM scim_requests WHERE id IN (SELECT id FROM scim_requests WHERE at < $1 ORDER BY at LIMIT $2)";
        let requests = self.run(sql, binds![before, batch]).await?;
        let hour = before.as_millisecond().div_euclid(HOUR);
        let counts = self
            .run("DELETE FROM scim_traffic WHERE hour < $1", binds![hour])
            .await?;
        Ok(requests + counts)
    }
}

impl Reader {
    /// Finds a request.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn scim_request(&mut self, id: &str) -> Result<Option<ScimRequest>> {
        let sql = format!("SELECT {COLUMNS} FROM scim_requests WHERE id = $1");
        self.row(&sql, binds![id]).await?.map(request).transpose()
    }

    /// Lists requests, newest first.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn scim_requests(
        &mut self,
        filter: &ScimRequestFilter,
        limit: u32,
    ) -> Result<Vec<ScimRequest>> {
        let (conditions, values) = filter.conditions(limit)?;
        let sql =
            format!("SELECT {COLUMNS} FROM scim_requests {conditions} ORDER BY at DESC, id DESC LIMIT $1");
        self.rows(&sql, values).await?.into_iter().map(request).collect()
    }

    /// Sums the requests to a connection since a moment.
    ///
    /// # Errors
    /// `engine` and `corrupt`.
    pub async fn scim_traffic(&mut self, connection: &ConnectionId, since: Timestamp) -> Result<ScimTraffic> {
        let sql = "SELECT CAST(COALESCE(SUM(requests), 0) AS BIGINT), CAST(COALESCE(SUM(failures), 0) AS BIGINT), \
                   CAST(COALESCE(SUM(refusals), 0) AS BIGINT), MAX(last_at), MAX(last_success_at) FROM scim_traffic \
                   WHERE connection = $1 AND hour >= $2";
        let hour = since.as_millisecond().div_euclid(HOUR);
        let Some(mut row) = self.row(sql, binds![connection, hour]).await? else {
            return Ok(ScimTraffic::default());
        };
        Ok(ScimTraffic {
            requests: row.int("scim_traffic.requests")?.unsigned_abs(),
            failures: row.int("scim_traffic.failures")?.unsigned_abs(),
            refusals: row.int("scim_traffic.refusals")?.unsigned_abs(),
            last_at: row.opt_time("scim_traffic.last_at")?,
            last_success_at: row.opt_time("scim_traffic.last_success_at")?,
        })
    }
}

impl ScimRequestFilter {
    /// Builds the WHERE clause; the limit is `$1`.
    fn conditions(&self, limit: u32) -> Result<(String, Vec<Bind>)> {
        let mut values: Vec<Bind> = binds![limit];
        let mut conditions = Vec::new();
        let mut add = |condition: &str, value: Bind| {
            values.push(value);
            conditions.push(condition.replace("$n", &format!("${}", values.len())));
        };
        if let Some(connection) = &self.connection {
            add("connection = $n", connection.into());
        }
        if let Some(since) = self.since {
            add("at >= $n", since.into());
        }
        if let Some(until) = self.until {
            add("at < $n", until.into());
        }
        if !self.outcomes.is_empty() {
            add(
                "outcome IN ({list:$n})",
                crate::value::list(&self.outcomes)?.into(),
            );
        }
        if let Some((lowest, highest)) = self.status {
            add("status >= $n", i64::from(lowest).into());
            add("status <= $n", i64::from(highest).into());
        }
        if let Some(method) = &self.method {
            add("method = $n", method.to_uppercase().into());
        }
        if let Some(path) = &self.path {
            add("{position}(path_key, $n) > 0", path.to_lowercase().into());
        }
        if let Some(target) = &self.target {
            add("target = $n", target.into());
        }
        if let Some((at, id)) = &self.before {
            let at = Bind::from(*at);
            values.extend([at, id.into()]);
            conditions.push(format!("(at, id) < (${}, ${})", values.len() - 1, values.len()));
        }
        if conditions.is_empty() {
            return Ok((String::new(), values));
        }
        Ok((format!("WHERE {}", conditions.join(" AND ")), values))
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn request_row(request: &ScimRequest) -> Vec<Bind> {
    binds![
        &request.id,
        &request.connection,
        request.at,
        &request.method,
        &request.path,
        request.path.to_lowercase(),
        &request.version,
        &request.action,
        &request.target,
        &request.token,
        u32::from(request.status),
        &request.outcome,
        &request.code,
        &request.detail,
        request.duration_us,
        &request.remote,
        &request.user_agent,
        &request.trace,
        &request.request,
        &request.response,
    ]
}

fn request(mut row: Row) -> Result<ScimRequest> {
    Ok(ScimRequest {
        id: row.text("scim_requests.id")?,
        connection: row.text("scim_requests.connection")?,
        at: row.time("scim_requests.at")?,
        method: row.text("scim_requests.method")?,
        path: row.text("scim_requests.path")?,
        version: row.text("scim_requests.version")?,
        action: row.text("scim_requests.action")?,
        target: row.opt_text("scim_requests.target")?,
        token: row.opt_text("scim_requests.token")?,
        status: u16::try_from(row.int("scim_requests.status")?).unwrap_or(u16::MAX),
        outcome: row.text("scim_requests.outcome")?,
        code: row.opt_text("scim_requests.code")?,
        detail: row.opt_text("scim_requests.detail")?,
        duration_us: row.int("scim_requests.duration_us")?,
        remote: row.opt_text("scim_requests.remote")?,
        user_agent: row.opt_text("scim_requests.user_agent")?,
        trace: row.opt_text("scim_requests.trace")?,
        request: row.opt_text("scim_requests.request")?,
        response: row.opt_text("scim_requests.response")?,
    })
}
