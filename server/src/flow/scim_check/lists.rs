//! Lists and pages.

use serde_json::Value;

use super::report::{Problem, hold};
use super::{Seen, Walk};

const AREA: &str = "lists";

impl Walk {
    pub(super) async fn check_lists(&mut self) {
        self.check(AREA, "totals and positions are whole numbers", Self::numbers)
            .await;
        self.check(AREA, "two pages of one, in a stable order", Self::pages)
            .await;
        self.check(AREA, "count=0 gives the total only", Self::count_zero)
            .await;
        self.check(AREA, "a page past the end is empty", Self::past_the_end)
            .await;
    }

    async fn numbers(&mut self) -> Seen {
        let reply = self
            .server
            .query("/Users", &[("startIndex", "1"), ("count", "2")])
            .await?;
        let reply = reply.expect(&[200], "serve pages of users")?;
        for name in ["totalResults", "startIndex", "itemsPerPage"] {
            hold(
                reply.at(name).is_some_and(Value::is_u64),
                format!("{name} is {:?}", reply.at(name)),
                "send totalResults, startIndex and itemsPerPage as whole numbers: Okta's import needs them",
            )?;
        }
        let per_page = reply.at("itemsPerPage").and_then(Value::as_u64);
        hold(
            per_page.and_then(|count| usize::try_from(count).ok()) == Some(reply.resources().len()),
            "itemsPerPage is not the number of resources on this page",
            "set itemsPerPage to what the page holds",
        )?;
        Ok(format!("{} in all", reply.total().unwrap_or_default()))
    }

    async fn pages(&mut self) -> Seen {
        let (one, two) = self.people()?;
        // Both people of this walk and nobody else.
        let filter = format!("userName sw \"{}-\"", self.mark);
        let mut seen = Vec::new();
        for start in ["1", "2"] {
            let pairs = [("filter", filter.as_str()), ("startIndex", start), ("count", "1")];
            let reply = self.server.query("/Users", &pairs).await?;
            if reply.status == 400 {
                return Err(Problem::look(
                    "filters with sw are refused",
                    "support the operators of RFC 7644 section 3.4.2.2",
                ));
            }
            let reply = reply.expect(&[200], "serve pages of a filtered list")?;
            hold(
                reply.total() == Some(2) && reply.resources().len() == 1,
                format!(
                    "totalResults {:?}, {} on the page",
                    reply.at("totalResults"),
                    reply.resources().len()
                ),
                "count all matches in totalResults and put count of them on a page",
            )?;
            let id = reply.resources().first().and_then(|each| each.get("id"));
            seen.extend(id.and_then(Value::as_str).map(str::to_owned));
        }
        seen.sort();
        let mut wanted = [one, two];
        wanted.sort();
        hold(
            seen == wanted,
            "one person is on both pages and another on none",
            "order lists by something that never changes, such as the order of creation",
        )?;
        Ok("each person once".to_owned())
    }

    async fn count_zero(&mut self) -> Seen {
        let reply = self.server.query("/Users", &[("count", "0")]).await?;
        let reply = reply.expect(&[200], "answer count=0 with the total")?;
        if !reply.resources().is_empty() {
            return Err(Problem::look(
                "count=0 returns resources",
                "return only the total (RFC 7644 section 3.4.2.4)",
            ));
        }
        Ok(format!("totalResults {}", reply.total().unwrap_or_default()))
    }

    async fn past_the_end(&mut self) -> Seen {
        let reply = self
            .server
            .query("/Users", &[("startIndex", "100000000"), ("count", "1")])
            .await?;
        let reply = reply.expect(&[200], "answer a page past the end with 200 and no resources")?;
        hold(
            reply.resources().is_empty(),
            "resources past the end",
            "return no resources past the end",
        )?;
        Ok("empty".to_owned())
    }
}
