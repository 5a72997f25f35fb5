//! Finding, creating, reading and replacing people.

use serde_json::{Value, json};

use super::client::Reply;
use super::report::{Problem, hold};
use super::{Seen, Walk};

const AREA: &str = "people";

impl Walk {
    pub(super) async fn check_people(&mut self) {
        self.check(AREA, "a look-up of nobody is an empty list", Self::look_up_nobody)
            .await;
        self.check(AREA, "create", Self::create_person).await;
        self.check(AREA, "create a second one", Self::create_second).await;
        self.check(AREA, "the same userName again is a conflict", Self::duplicate)
            .await;
        self.check(AREA, "read by id", Self::read_person).await;
        self.check(AREA, "found by userName", Self::found_by_user_name)
            .await;
        self.check(AREA, "found by userName in capitals", Self::found_in_capitals)
            .await;
        self.check(AREA, "found by externalId", Self::found_by_external_id)
            .await;
        self.check(AREA, "found by work e-mail (Entra)", Self::found_by_work_email)
            .await;
        self.check(AREA, "only the attributes that were asked for", Self::projection)
            .await;
        self.check(AREA, "PUT of the edited answer (Okta)", Self::put_echo)
            .await;
    }

    async fn look_up_nobody(&mut self) -> Seen {
        let filter = format!("userName eq \"{}\"", self.address("nobody"));
        let reply = self.server.query("/Users", &[("filter", &filter)]).await?;
        let reply = reply.expect(
            &[200],
            "answer a filter that matches nobody with 200 and an empty list: 404 fails Entra's connection test",
        )?;
        hold(
            reply.total() == Some(0),
            format!("totalResults is {:?}", reply.at("totalResults")),
            "answer totalResults 0, as a number; a filter must never be ignored",
        )?;
        Ok("200, totalResults 0".to_owned())
    }

    async fn create_person(&mut self) -> Seen {
        let mut body = self.person_body("one");
        // Okta sends a dummy password with every creation.
        if let Some(fields) = body.as_object_mut() {
            fields.insert("password".to_owned(), json!("Dummy-1mz050nq"));
            fields.insert("groups".to_owned(), json!([]));
        }
        let (id, reply) = self.make("/Users", &body).await?;
        self.person = Some(id);
        hold(
            reply.at("password").is_none(),
            "the answer shows the password",
            "never return a password",
        )?;
        hold(
            reply.text("userName") == Some(self.address("one")) && reply.at("active") == Some(&json!(true)),
            "userName or active is missing in the answer",
            "return the whole resource: Okta fails on an empty answer",
        )?;
        if reply.location.is_none() || reply.location != reply.text("meta/location") {
            return Err(Problem::look(
                "Location and meta.location are missing or differ",
                "send the absolute address of the new resource in both",
            ));
        }
        Ok("201 with Location and the whole resource".to_owned())
    }

    async fn create_second(&mut self) -> Seen {
        let body = self.person_body("two");
        let (id, _) = self.make("/Users", &body).await?;
        self.second = Some(id);
        Ok("201".to_owned())
    }

    async fn duplicate(&mut self) -> Seen {
        self.person()?;
        let body = self.person_body("one");
        let reply = self.server.post("/Users", &body).await?;
        if reply.status == 201
            && let Some(id) = reply.text("id")
        {
            self.made.push(format!("/Users/{id}"));
        }
        let reply = reply.expect(&[409], "refuse a userName that is taken with 409")?;
        if reply.text("scimType").as_deref() != Some("uniqueness") {
            return Err(Problem::look(
                "409 without scimType uniqueness",
                "name the kind of the conflict: scimType \"uniqueness\", and the attribute in detail",
            ));
        }
        Ok("409, uniqueness".to_owned())
    }

    async fn read_person(&mut self) -> Seen {
        let path = self.person()?;
        let reply = self.server.get(&path).await?;
        let reply = reply.expect(&[200], "return a resource by its id")?;
        hold(
            reply.text("meta/resourceType").as_deref() == Some("User"),
            "meta.resourceType is missing",
            "return meta with resourceType, created, lastModified and location",
        )?;
        Ok("200".to_owned())
    }

    async fn found_by_user_name(&mut self) -> Seen {
        let filter = format!("userName eq \"{}\"", self.address("one"));
        self.finds_person(
            &filter,
            "support userName eq: every directory looks people up by it",
        )
        .await
    }

    async fn found_in_capitals(&mut self) -> Seen {
        let filter = format!("userName eq \"{}\"", self.address("one").to_uppercase());
        self.finds_person(
            &filter,
            "compare userName without regard to case (RFC 7643 section 4.1.1)",
        )
        .await
    }

    async fn found_by_external_id(&mut self) -> Seen {
        let filter = format!("externalId eq \"{}\"", self.name("one"));
        self.finds_person(&filter, "support externalId eq: Entra matches people by it")
            .await
    }

    async fn found_by_work_email(&mut self) -> Seen {
        let filter = format!("emails[type eq \"work\"].value eq \"{}\"", self.address("one"));
        self.finds_person(
            &filter,
            "support value filters on e-mail addresses: Entra may match by them",
        )
        .await
    }

    /// A filter that must find the first person and nobody else.
    pub(super) async fn finds_person(&mut self, filter: &str, advice: &'static str) -> Seen {
        let id = self
            .person
            .clone()
            .ok_or_else(|| Problem::skipped("no person could be made"))?;
        let reply = self.server.query("/Users", &[("filter", filter)]).await?;
        let reply = reply.expect(&[200], advice)?;
        hold(
            reply.total() == Some(1) && first_id(&reply) == Some(id.as_str()),
            format!("totalResults is {:?}", reply.at("totalResults")),
            advice,
        )?;
        Ok("1 result".to_owned())
    }

    async fn projection(&mut self) -> Seen {
        let path = self.person()?;
        let reply = self.server.get(&format!("{path}?attributes=userName")).await?;
        let reply = reply.expect(&[200], "support the attributes parameter")?;
        hold(
            reply.at("userName").is_some() && reply.at("id").is_some(),
            "userName or id is missing",
            "return what attributes names, and id always",
        )?;
        if reply.at("emails").is_some() {
            return Err(Problem::look(
                "attributes=userName returns more",
                "return only what attributes names",
            ));
        }
        Ok("userName and id".to_owned())
    }

    async fn put_echo(&mut self) -> Seen {
        let path = self.person()?;
        let before = self
            .server
            .get(&path)
            .await?
            .expect(&[200], "return a resource by its id")?;
        let mut body = before.body;
        if let Some(fields) = body.as_object_mut() {
            fields.insert("displayName".to_owned(), json!("Check Renamed"));
        }
        let reply = self.server.put(&path, &body).await?;
        let reply = reply.expect(
            &[200],
            "accept a PUT of your own answer: ignore id, meta and groups in it, and return the resource",
        )?;
        hold(
            reply.text("displayName").as_deref() == Some("Check Renamed"),
            "displayName did not change",
            "return the changed resource",
        )?;
        Ok("200 with the changed resource".to_owned())
    }
}

fn first_id(reply: &Reply) -> Option<&str> {
    reply.resources().first()?.get("id").and_then(Value::as_str)
}
