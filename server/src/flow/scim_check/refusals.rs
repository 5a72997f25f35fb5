//! What must be refused, and that deleting deletes.

use serde_json::json;

use super::report::{Problem, hold};
use super::{Seen, Walk};

impl Walk {
    pub(super) async fn check_refusals(&mut self) {
        const AREA: &str = "errors";
        self.check(AREA, "an unknown id is 404 as SCIM says", Self::unknown_id)
            .await;
        self.check(AREA, "a broken filter is 400, never a list", Self::broken_filter)
            .await;
        self.check(AREA, "broken JSON is 400", Self::broken_json).await;
        self.check(AREA, "a person without userName is 400", Self::no_user_name)
            .await;
    }

    pub(super) async fn check_deletion(&mut self) {
        const AREA: &str = "deletion";
        self.check(AREA, "a group is gone", Self::delete_group).await;
        self.check(AREA, "a person is gone, by id and filter", Self::delete_person)
            .await;
        self.check(AREA, "the name can be used again", Self::create_again)
            .await;
    }

    async fn unknown_id(&mut self) -> Seen {
        let reply = self.server.get("/Users/provost-check-nobody").await?;
        let reply = reply.expect(&[404], "answer 404 for an id that does not exist")?;
        hold(
            reply.is_scim_error() && reply.text("detail").is_some(),
            "404 without the error message of SCIM",
            "send schemas, status as text and detail with every error (RFC 7644 section 3.12)",
        )?;
        Ok("404".to_owned())
    }

    async fn broken_filter(&mut self) -> Seen {
        let reply = self
            .server
            .query("/Users", &[("filter", "userName eq"), ("count", "1")])
            .await?;
        let reply = reply.expect(
            &[400],
            "refuse a filter that cannot be read: a list of everybody makes a directory match the wrong person",
        )?;
        if reply.text("scimType").as_deref() != Some("invalidFilter") {
            return Err(Problem::look(
                "400 without scimType invalidFilter",
                "say scimType \"invalidFilter\"",
            ));
        }
        Ok("400, invalidFilter".to_owned())
    }

    async fn broken_json(&mut self) -> Seen {
        let reply = self.server.post_text("/Users", "{\"userName\": ").await?;
        reply.expect(&[400], "refuse a body that is no JSON with 400")?;
        Ok("400".to_owned())
    }

    async fn no_user_name(&mut self) -> Seen {
        let body =
            json!({ "schemas": [provost_scim::schema::USER_URN], "displayName": self.name("nameless") });
        let reply = self.server.post("/Users", &body).await?;
        if reply.status == 201
            && let Some(id) = reply.text("id")
        {
            self.made.push(format!("/Users/{id}"));
        }
        reply.expect(&[400], "refuse a person without userName with 400")?;
        Ok("400".to_owned())
    }

    async fn delete_group(&mut self) -> Seen {
        let path = self.group()?;
        self.delete(&path).await
    }

    async fn delete_person(&mut self) -> Seen {
        let path = self.person()?;
        self.delete(&path).await?;
        let filter = format!("userName eq \"{}\"", self.address("one"));
        let reply = self.server.query("/Users", &[("filter", &filter)]).await?;
        hold(
            reply.total() == Some(0),
            "a filter still finds the person",
            "hide deleted people from filters, or directories cannot create them again",
        )?;
        Ok("204, then 404".to_owned())
    }

    async fn delete(&mut self, path: &str) -> Seen {
        let reply = self.server.delete(path).await?;
        let reply = reply.expect(&[204, 200], "answer DELETE with 204")?;
        let status = reply.status;
        self.server
            .get(path)
            .await?
            .expect(&[404], "answer 404 after a DELETE")?;
        self.made.retain(|made| made != path);
        if status != 204 {
            return Err(Problem::look(
                format!("answered with {status}"),
                "answer DELETE with 204",
            ));
        }
        Ok("204, then 404".to_owned())
    }

    async fn create_again(&mut self) -> Seen {
        self.person()?;
        let body = self.person_body("one");
        self.make("/Users", &body).await?;
        Ok("201".to_owned())
    }
}
