//! Does the server answer, is the token right, and what does it say it can do?

use provost_scim::schema::USER_URN;
use serde_json::Value;

use super::report::{Problem, hold};
use super::{Seen, Walk};

const AREA: &str = "discovery";

impl Walk {
    pub(super) async fn check_discovery(&mut self) {
        self.check(AREA, "the token is accepted", Self::token_is_accepted)
            .await;
        // Without a server that answers, the rest would say the same forty times.
        if self.report.is_unreachable() {
            return;
        }
        self.check(
            AREA,
            "a request without a token is refused as SCIM says",
            Self::no_token,
        )
        .await;
        self.check(AREA, "answers are application/scim+json", Self::media_type)
            .await;
        self.check(
            AREA,
            "/ServiceProviderConfig says what the server can do",
            Self::config,
        )
        .await;
        self.check(
            AREA,
            "/ResourceTypes lists users and groups",
            Self::resource_types,
        )
        .await;
        self.check(AREA, "/Schemas lists the attributes of users", Self::schemas)
            .await;
    }

    async fn token_is_accepted(&mut self) -> Seen {
        let reply = self.server.query("/Users", &[("count", "1")]).await?;
        match reply.status {
            200 => Ok("200".to_owned()),
            401 | 403 => Err(Problem::unreachable(
                format!("the token is refused with {}", reply.status),
                "make a new token and copy all of it",
            )),
            status => Err(Problem::unreachable(
                format!("GET /Users is answered with {status}"),
                "check the address: it ends before /Users, often with /v2",
            )),
        }
    }

    async fn no_token(&mut self) -> Seen {
        let reply = self.server.get_without_token("/Users?count=1").await?;
        let reply = reply.expect(&[401], "refuse requests without a valid token with 401")?;
        if !reply.is_scim_error() {
            return Err(Problem::look(
                "401 without a SCIM error body",
                "send the error message of RFC 7644 section 3.12 with 401 as well: Okta's test looks for it",
            ));
        }
        Ok("401 with a SCIM error".to_owned())
    }

    async fn media_type(&mut self) -> Seen {
        let reply = self.server.query("/Users", &[("count", "1")]).await?;
        match reply.content_type.as_str() {
            "application/scim+json" => Ok(reply.content_type),
            other => Err(Problem::look(
                format!("Content-Type is {other:?}"),
                "answer with application/scim+json (RFC 7644 section 8.1)",
            )),
        }
    }

    async fn config(&mut self) -> Seen {
        let reply = self.server.get("/ServiceProviderConfig").await?;
        let reply = reply.expect(
            &[200],
            "serve /ServiceProviderConfig: authentik and SailPoint need it",
        )?;
        for limit in ["bulk/maxOperations", "bulk/maxPayloadSize", "filter/maxResults"] {
            hold(
                reply.at(limit).is_some_and(Value::is_u64),
                format!("{} is not a whole number", limit.replace('/', ".")),
                "publish the limits as whole numbers even where the feature is off: authentik gives up PATCH and filters otherwise",
            )?;
        }
        let can = |name: &str| reply.at(&format!("{name}/supported")) == Some(&Value::Bool(true));
        if !can("patch") {
            return Err(Problem::look(
                "PATCH is not announced",
                "support PATCH: Entra changes people and groups in no other way",
            ));
        }
        Ok(format!(
            "patch, {}{}{}maxResults {}",
            if can("filter") { "filter, " } else { "" },
            if can("sort") { "sort, " } else { "" },
            if can("bulk") { "bulk, " } else { "" },
            reply.at("filter/maxResults").unwrap_or(&Value::Null)
        ))
    }

    async fn resource_types(&mut self) -> Seen {
        let reply = self.server.get("/ResourceTypes").await?;
        let reply = reply.expect(&[200], "serve /ResourceTypes: SailPoint needs it")?;
        let names: Vec<&str> = reply
            .resources()
            .iter()
            .filter_map(|each| each.get("name").and_then(Value::as_str))
            .collect();
        hold(
            names.contains(&"User") && names.contains(&"Group"),
            format!("it lists {names:?}"),
            "list User and Group in a ListResponse",
        )?;
        Ok(names.join(", "))
    }

    async fn schemas(&mut self) -> Seen {
        let reply = self.server.get("/Schemas").await?;
        let reply = reply.expect(&[200], "serve /Schemas: Entra's gallery needs schema discovery")?;
        let user = reply
            .resources()
            .iter()
            .find(|schema| schema.get("id").and_then(Value::as_str) == Some(USER_URN));
        let count = user
            .and_then(|schema| schema.get("attributes"))
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        hold(
            count > 0,
            "the core user schema is missing or empty",
            "publish the schema of users with its attributes",
        )?;
        Ok(format!("{count} attributes"))
    }
}
