//! The PATCH forms of real directories.

use provost_scim::schema::ENTERPRISE_URN;
use serde_json::{Value, json};

use super::client::Reply;
use super::report::{Problem, hold};
use super::{Seen, Walk, operations};

const AREA: &str = "changes";

impl Walk {
    pub(super) async fn check_patches(&mut self) {
        self.check(AREA, "deactivate without a path (Okta)", Self::deactivate_okta)
            .await;
        self.check(
            AREA,
            "a deactivated person is still found",
            Self::inactive_is_found,
        )
        .await;
        self.check(
            AREA,
            "reactivate with Replace and \"True\" (Entra)",
            Self::reactivate_entra,
        )
        .await;
        self.check(
            AREA,
            "set a phone number that is not there yet (Entra)",
            Self::missing_element,
        )
        .await;
        self.check(
            AREA,
            "set an extension attribute by its URN (Entra)",
            Self::extension_path,
        )
        .await;
        self.check(AREA, "dotted keys without a path (Entra)", Self::dotted_keys)
            .await;
        self.check(
            AREA,
            "a manager as a bare id comes back as an object (Entra)",
            Self::manager,
        )
        .await;
        self.check(AREA, "null empties an attribute", Self::null_empties)
            .await;
        self.check(
            AREA,
            "a broken path is refused and changes nothing",
            Self::broken_path,
        )
        .await;
    }

    /// Sends operations to the first person and reads the person back.
    async fn patched(&mut self, list: &Value, advice: &'static str) -> Result<Reply, Problem> {
        let path = self.person()?;
        let reply = self.server.patch(&path, &operations(list)).await?;
        reply.expect(&[200, 204], advice)?;
        self.server
            .get(&path)
            .await?
            .expect(&[200], "return a resource by its id, active or not")
    }

    async fn deactivate_okta(&mut self) -> Seen {
        let advice = "understand replace without a path and change only what its value names";
        let list = json!([{ "op": "replace", "value": { "active": false } }]);
        let after = self.patched(&list, advice).await?;
        hold(
            after.at("active") == Some(&json!(false)),
            "active is not false afterwards: leavers keep their access",
            advice,
        )?;
        hold(
            after.text("name/givenName").as_deref() == Some("Check"),
            "other attributes are gone",
            advice,
        )?;
        Ok("active is false, the rest is kept".to_owned())
    }

    async fn inactive_is_found(&mut self) -> Seen {
        let filter = format!("userName eq \"{}\"", self.address("one"));
        self.finds_person(
            &filter,
            "keep deactivated people visible by id and filter, or directories create them again",
        )
        .await
    }

    async fn reactivate_entra(&mut self) -> Seen {
        let advice = "read op without regard to case and the texts \"True\" and \"False\" as booleans";
        let list = json!([{ "op": "Replace", "path": "active", "value": "True" }]);
        let after = self.patched(&list, advice).await?;
        hold(
            after.at("active") == Some(&json!(true)),
            format!("active is {:?} afterwards", after.at("active")),
            advice,
        )?;
        Ok("active is true".to_owned())
    }

    async fn missing_element(&mut self) -> Seen {
        let advice =
            "make the element when attr[type eq \"x\"].value finds none: Entra has no other way to set it";
        let list =
            json!([{ "op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+46 70 1" }]);
        let after = self.patched(&list, advice).await?;
        let element = after.at("phoneNumbers/0");
        hold(
            element.is_some_and(|each| {
                each.get("type") == Some(&json!("mobile")) && each.get("value") == Some(&json!("+46 70 1"))
            }),
            "the phone number is not there afterwards",
            advice,
        )?;
        Ok("one element of type mobile".to_owned())
    }

    async fn extension_path(&mut self) -> Seen {
        let advice = "take a path apart at the last known URN: URNs contain dots and colons";
        let list = json!([{ "op": "Add", "path": format!("{ENTERPRISE_URN}:department"), "value": "Sales" }]);
        let after = self.patched(&list, advice).await?;
        let department = after
            .body
            .get(ENTERPRISE_URN)
            .and_then(|extension| extension.get("department"));
        hold(
            department == Some(&json!("Sales")),
            format!("department is {department:?} afterwards"),
            advice,
        )?;
        Ok("department is set".to_owned())
    }

    async fn dotted_keys(&mut self) -> Seen {
        let advice =
            "read the keys of a value without a path as paths: \"name.givenName\" is a sub-attribute";
        let list =
            json!([{ "op": "replace", "value": { "displayName": "Dotted", "name.givenName": "Dora" } }]);
        let after = self.patched(&list, advice).await?;
        hold(
            after.text("name/givenName").as_deref() == Some("Dora") && after.at("name.givenName").is_none(),
            "name.givenName was not understood",
            advice,
        )?;
        Ok("the given name is set".to_owned())
    }

    async fn manager(&mut self) -> Seen {
        let (_, boss) = self.people()?;
        let advice = "accept a manager as a bare id and return it as an object with value";
        let list =
            json!([{ "op": "Add", "path": format!("{ENTERPRISE_URN}:manager"), "value": boss.as_str() }]);
        let after = self.patched(&list, advice).await?;
        let manager = after
            .body
            .get(ENTERPRISE_URN)
            .and_then(|extension| extension.get("manager"));
        hold(
            manager.and_then(|manager| manager.get("value")) == Some(&json!(boss)),
            format!("manager is {manager:?} afterwards"),
            advice,
        )?;
        Ok("an object with the id".to_owned())
    }

    async fn null_empties(&mut self) -> Seen {
        let advice = "treat null as absent: the attribute is empty afterwards and the request succeeds";
        let list = json!([{ "op": "replace", "path": "displayName", "value": null }]);
        let after = self.patched(&list, advice).await?;
        hold(
            after.at("displayName").is_none_or(Value::is_null),
            "displayName is still there",
            advice,
        )?;
        Ok("empty".to_owned())
    }

    async fn broken_path(&mut self) -> Seen {
        let path = self.person()?;
        let list = json!([
            { "op": "replace", "path": "title", "value": "Must not stay" },
            { "op": "replace", "path": "emails[type eq", "value": "x" },
        ]);
        let reply = self.server.patch(&path, &operations(&list)).await?;
        reply.expect(
            &[400],
            "refuse a malformed path with 400 and scimType invalidPath",
        )?;
        let after = self.server.get(&path).await?;
        hold(
            after.at("title").is_none(),
            "the operation before the broken one was carried out",
            "carry out all operations of a PATCH or none (RFC 7644 section 3.5.2)",
        )?;
        Ok("400, nothing changed".to_owned())
    }
}
