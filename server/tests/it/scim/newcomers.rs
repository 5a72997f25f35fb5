//! What a directory is answered about people who are new, and about those who are not.

use serde_json::json;

use super::lab::{self, CUSTOM, Directory, ENTERPRISE, person};
use crate::app::on_each_engine;

/// A newcomer is answered without a look-up; whoever was there, or is changed at once, is looked up.
#[tokio::test]
async fn r76_whoever_is_made_is_answered_as_she_is_read() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        lab::change(
            &test.app,
            "scim: { attributes:",
            "scim: { existing: link, attributes:",
        )
        .await;
        let okta = Directory::of(&test, "okta").await;
        let there = crate::directory::sso_account(&test.app, "there@home-lab.example", "okta").await;
        let gone = okta.hire("back").await;
        okta.delete(&format!("/Users/{gone}")).await.expect(204);
        let mut whole = person("whole");
        whole[ENTERPRISE] = json!({ "department": "R&D \u{1f680}", "manager": { "value": there } });
        whole[CUSTOM] = json!({ "nfc": "04:A2" });
        whole["phoneNumbers"] = json!([{ "value": "+41 44 000 00 00", "type": "work" }, { "value": "2" }]);
        let mut inactive = person("inactive");
        inactive["active"] = json!(false);
        let mut silent = person("silent");
        silent.as_object_mut().unwrap().remove("active");
        for (body, id) in [
            (whole, None),
            (inactive, None),
            (silent, None),
            (person("there"), Some(there.as_str().to_owned())),
            (person("back"), Some(gone)),
        ] {
            let name = body["userName"].clone();
            let made = okta.post("/Users", body).await.expect(201);
            let read = okta.get(&format!("/Users/{}", made.id())).await.expect(200);
            assert_eq!(made.body, read.body, "{name}");
            assert_eq!(made.header("etag"), read.header("etag"), "{name}");
            if let Some(id) = id {
                assert_eq!(made.id(), id, "{name}");
            }
        }
        let mut old = Directory::of(&test, "entra").await;
        old.base = "/scim/entra/v1".to_owned();
        let made = old.post("/Users", person("old")).await.expect(201);
        let read = old.get(&format!("/Users/{}", made.id())).await.expect(200);
        assert_eq!(made.body, read.body);
    })
    .await;
}
