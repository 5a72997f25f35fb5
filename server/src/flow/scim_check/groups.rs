//! Groups and their members.

use provost_scim::schema::GROUP_URN;
use serde_json::{Value, json};

use super::client::Reply;
use super::report::{Problem, hold};
use super::{Seen, Walk, operations};

const AREA: &str = "groups";

impl Walk {
    pub(super) async fn check_groups(&mut self) {
        self.check(AREA, "create", Self::create_group).await;
        self.check(
            AREA,
            "found by displayName, without members (Entra)",
            Self::found_without_members,
        )
        .await;
        self.check(AREA, "add members, and add one again", Self::add_members)
            .await;
        self.check(AREA, "the person shows the group", Self::shown_on_the_person)
            .await;
        self.check(
            AREA,
            "remove one by a list of values (Entra)",
            Self::remove_by_list,
        )
        .await;
        self.check(AREA, "remove one by a filter (Okta)", Self::remove_by_filter)
            .await;
        self.check(AREA, "rename with the id inside (Okta)", Self::rename)
            .await;
        self.check(AREA, "PUT with all members (Okta)", Self::put_members)
            .await;
        self.check(AREA, "an empty list empties", Self::empty).await;
        self.check(
            AREA,
            "a member that does not exist is no server error",
            Self::stranger,
        )
        .await;
    }

    async fn create_group(&mut self) -> Seen {
        let body = json!({ "schemas": [GROUP_URN], "displayName": self.name("group"), "members": [] });
        let (id, _) = self.make("/Groups", &body).await?;
        self.group = Some(id);
        Ok("201".to_owned())
    }

    async fn found_without_members(&mut self) -> Seen {
        self.group()?;
        let filter = format!("displayName eq \"{}\"", self.name("group"));
        let pairs = [("excludedAttributes", "members"), ("filter", filter.as_str())];
        let reply = self.server.query("/Groups", &pairs).await?;
        let reply = reply.expect(&[200], "support displayName eq and excludedAttributes on groups")?;
        hold(
            reply.total() == Some(1),
            format!("totalResults is {:?}", reply.at("totalResults")),
            "find a group by its name: directories look it up before they push it",
        )?;
        hold(
            reply.at("Resources/0/members").is_none(),
            "members are there although they were excluded",
            "leave the key members out when it is excluded",
        )?;
        Ok("1 result, no members".to_owned())
    }

    /// Sends operations to the group and reads its members back.
    async fn members_after(&mut self, list: &Value, advice: &'static str) -> Result<Vec<String>, Problem> {
        let path = self.group()?;
        let reply = self.server.patch(&path, &operations(list)).await?;
        reply.expect(&[200, 204], advice)?;
        self.members().await
    }

    async fn members(&mut self) -> Result<Vec<String>, Problem> {
        let path = self.group()?;
        let reply = self.server.get(&path).await?;
        Ok(members_of(&reply.expect(&[200], "return a group by its id")?))
    }

    async fn add_members(&mut self) -> Seen {
        let (one, two) = self.people()?;
        let advice = "adding a member again is no error and changes nothing: Entra repeats requests";
        let both = json!([{ "op": "Add", "path": "members", "value": [{ "value": one }, { "value": two }] }]);
        self.members_after(&both, "add every member of the list").await?;
        let again = json!([{ "op": "add", "path": "members", "value": [{ "value": one }] }]);
        let members = self.members_after(&again, advice).await?;
        hold(members.len() == 2, format!("{} members", members.len()), advice)?;
        Ok("2 members".to_owned())
    }

    async fn shown_on_the_person(&mut self) -> Seen {
        let (person, group) = (self.person()?, self.group()?);
        let reply = self.server.get(&person).await?;
        let shown = reply
            .at("groups")
            .and_then(Value::as_array)
            .is_some_and(|groups| {
                groups
                    .iter()
                    .filter_map(|each| each.get("value").and_then(Value::as_str))
                    .any(|id| group.ends_with(id))
            });
        if !shown {
            return Err(Problem::look(
                "groups of the person does not have it",
                "fill User.groups from the memberships (RFC 7643 section 4.1.2)",
            ));
        }
        Ok("in groups".to_owned())
    }

    async fn remove_by_list(&mut self) -> Seen {
        let (one, two) = self.people()?;
        let advice =
            "remove only the members that the value names: emptying the group here locks out everybody";
        let list = json!([{ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": one }] }]);
        let members = self.members_after(&list, advice).await?;
        hold(
            members == [two],
            format!("{} members are left, not 1", members.len()),
            advice,
        )?;
        Ok("1 left".to_owned())
    }

    async fn remove_by_filter(&mut self) -> Seen {
        let (_, two) = self.people()?;
        let advice = "understand remove with members[value eq \"id\"]";
        let alone = json!([{ "op": "replace", "path": "members", "value": [{ "value": two }] }]);
        self.members_after(&alone, "replace members with the list in value")
            .await?;
        let list = json!([{ "op": "remove", "path": format!("members[value eq \"{two}\"]") }]);
        let members = self.members_after(&list, advice).await?;
        hold(
            members.is_empty(),
            format!("{} members are left", members.len()),
            advice,
        )?;
        Ok("none left".to_owned())
    }

    async fn rename(&mut self) -> Seen {
        let path = self.group()?;
        let id = path.trim_start_matches("/Groups/").to_owned();
        let advice = "ignore an unchanged id in the value of a replace: Okta renames groups so";
        let list = json!([{ "op": "replace", "value": { "id": id, "displayName": self.name("renamed") } }]);
        let reply = self.server.patch(&path, &operations(&list)).await?;
        reply.expect(&[200, 204], advice)?;
        let after = self.server.get(&path).await?;
        hold(
            after.text("displayName") == Some(self.name("renamed")),
            "the name did not change",
            advice,
        )?;
        Ok("renamed".to_owned())
    }

    async fn put_members(&mut self) -> Seen {
        let (one, two) = self.people()?;
        let path = self.group()?;
        let body = json!({
            "schemas": [GROUP_URN],
            "displayName": self.name("renamed"),
            "members": [{ "value": one }, { "value": two }],
        });
        let reply = self.server.put(&path, &body).await?;
        reply.expect(
            &[200, 204],
            "replace a group with PUT: Okta's own integrations push members so",
        )?;
        let members = self.members().await?;
        hold(
            members.len() == 2,
            format!("{} members, not 2", members.len()),
            "set exactly the members of the PUT",
        )?;
        Ok("2 members".to_owned())
    }

    async fn empty(&mut self) -> Seen {
        let advice = "replace members with an empty list empties the group";
        let list = json!([{ "op": "replace", "path": "members", "value": [] }]);
        let members = self.members_after(&list, advice).await?;
        hold(
            members.is_empty(),
            format!("{} members are left", members.len()),
            advice,
        )?;
        Ok("empty".to_owned())
    }

    async fn stranger(&mut self) -> Seen {
        let path = self.group()?;
        let list = json!([{ "op": "add", "path": "members", "value": [{ "value": "00000000-0000-4000-8000-000000000000" }] }]);
        let reply = self.server.patch(&path, &operations(&list)).await?;
        match reply.status {
            400..=499 => Ok(reply.status.to_string()),
            200 | 204 => Err(Problem::look(
                format!("{}: accepted silently", reply.status),
                "say 400 or 404: otherwise nobody learns that a person is missing",
            )),
            status => Err(Problem::bad(
                format!("answered with {status}"),
                "say 400 or 404: Entra repeats a request for ever after a 5xx",
            )),
        }
    }
}

fn members_of(group: &Reply) -> Vec<String> {
    let members = group.at("members").and_then(Value::as_array);
    members
        .into_iter()
        .flatten()
        .filter_map(|member| member.get("value").and_then(Value::as_str))
        .map(str::to_owned)
        .collect()
}
