//! A conformance walk through any SCIM 2.0 server, as the directories of customers use it.
//!
//! Makes a few people and groups with names of its own, does to them what Okta, Entra and the others do, looks at each
//! answer, and deletes what it made. Every check says what to do when it fails. Support runs it against a customer's
//! server or against Provost itself; it needs nothing but an address and a token.

mod client;
mod discovery;
mod groups;
mod lists;
mod patch;
mod people;
mod refusals;
mod report;

use serde_json::Value;

use client::Reply;
pub use client::Server;
use report::Problem;
pub use report::{Check, Report, Verdict};

/// One walk. Holds what it has made, so that it can be cleaned up whatever happens.
pub struct Walk {
    server: Server,
    report: Report,
    /// Distinguishes what this walk makes from everything else on the server.
    mark: String,
    /// Domain of the e-mail addresses.
    domain: String,
    /// Paths of what was made and not deleted yet.
    made: Vec<String>,
    person: Option<String>,
    second: Option<String>,
    group: Option<String>,
}

type Seen = Result<String, Problem>;

impl Walk {
    /// Prepares a walk; `mark` is a short random text.
    pub fn new(server: Server, mark: &str, domain: &str) -> Self {
        Self {
            server,
            report: Report::default(),
            mark: format!("provost-check-{mark}"),
            domain: domain.to_owned(),
            made: Vec::new(),
            person: None,
            second: None,
            group: None,
        }
    }

    /// Makes every check, one after the other.
    pub async fn run(&mut self) {
        self.check_discovery().await;
        if self.report.is_unreachable() {
            return;
        }
        self.check_people().await;
        self.check_patches().await;
        self.check_groups().await;
        self.check_lists().await;
        self.check_refusals().await;
        self.check_deletion().await;
    }

    /// Deletes what is left of what was made, and returns the report.
    pub async fn finish(mut self) -> Report {
        let mut left = Vec::new();
        for path in std::mem::take(&mut self.made).into_iter().rev() {
            match self.server.delete(&path).await {
                Ok(reply) if matches!(reply.status, 200 | 204 | 404) => {}
                Ok(_) | Err(_) => left.push(path),
            }
        }
        self.report.left = left;
        self.report
    }

    /// Makes one check and notes it.
    async fn check(
        &mut self,
        area: &'static str,
        name: &'static str,
        look: impl AsyncFnOnce(&mut Self) -> Seen,
    ) {
        let seen = look(self).await;
        self.report.note(area, name, seen);
    }

    /// A name or address that only this walk uses.
    fn name(&self, what: &str) -> String {
        format!("{}-{what}", self.mark)
    }

    fn address(&self, what: &str) -> String {
        format!("{}-{what}@{}", self.mark, self.domain)
    }

    /// A person as directories send them.
    fn person_body(&self, what: &str) -> Value {
        let address = self.address(what);
        serde_json::json!({
            "schemas": [provost_scim::schema::USER_URN],
            "userName": address,
            "externalId": self.name(what),
            "name": { "givenName": "Check", "familyName": "Provost" },
            "displayName": "Check Provost",
            "emails": [{ "value": address, "type": "work", "primary": true }],
            "active": true,
        })
    }

    /// Creates something and remembers it for the clean-up.
    async fn make(&mut self, endpoint: &str, body: &Value) -> Result<(String, Reply), Problem> {
        let reply = self.server.post(endpoint, body).await?;
        let reply = reply.expect(&[201], "answer 201 with the whole resource to a POST")?;
        let id = reply.text("id").ok_or_else(|| {
            Problem::bad(
                "the answer has no id",
                "give every resource an id and return it in the answer to the POST",
            )
        })?;
        self.made.push(format!("{endpoint}/{id}"));
        Ok((id, reply))
    }

    fn person(&self) -> Result<String, Problem> {
        self.person
            .clone()
            .map(|id| format!("/Users/{id}"))
            .ok_or_else(|| Problem::skipped("no person could be made"))
    }

    fn group(&self) -> Result<String, Problem> {
        self.group
            .clone()
            .map(|id| format!("/Groups/{id}"))
            .ok_or_else(|| Problem::skipped("no group could be made"))
    }

    /// Both people, for checks of members.
    fn people(&self) -> Result<(String, String), Problem> {
        self.person
            .clone()
            .zip(self.second.clone())
            .ok_or_else(|| Problem::skipped("two people are needed"))
    }
}

/// One PATCH body of 2.0.
fn operations(list: &Value) -> Value {
    serde_json::json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": list,
    })
}
