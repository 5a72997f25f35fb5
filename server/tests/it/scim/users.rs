//! People, as directories push them.

use serde_json::{Value, json};

use super::lab::{self, CUSTOM, Directory, ENTERPRISE, person};
use crate::app::on_each_engine;
use crate::directory::{account_count, accounts};

#[tokio::test]
async fn r76_r152_a_new_person_is_answered_in_full_and_found_at_once() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        // What Okta sends, a password included, which is dropped.
        let mut body = person("ida");
        body["password"] = json!("dummy-password-1");
        body["groups"] = json!([]);
        body["locale"] = json!("en-US");
        let made = okta.post("/Users", body).await.expect(201);
        let id = made.id();
        let address = format!("{}/scim/okta/v2/Users/{id}", test.app.config.issuer());
        assert_eq!(made.header("location"), Some(address.as_str()));
        assert_eq!(made.header("content-type"), Some("application/scim+json"));
        assert_eq!(made.body["meta"]["location"], json!(address));
        assert_eq!(made.body["meta"]["resourceType"], "User");
        assert_eq!(made.header("etag"), made.body["meta"]["version"].as_str());
        assert_eq!(made.body["userName"], "ida@home-lab.example");
        assert_eq!(made.body["externalId"], "00u-ida");
        assert_eq!(made.body["active"], true);
        assert_eq!(made.body["locale"], "en-US");
        assert!(
            !made.text.contains("password") && !made.text.contains("null"),
            "{}",
            made.text
        );
        let read = okta.get(&format!("/Users/{id}")).await.expect(200);
        assert_eq!(read.body, made.body);
        for filter in [
            "userName%20eq%20%22IDA@home-lab.example%22",
            "externalId%20eq%20%2200u-ida%22",
            "emails%5Btype%20eq%20%22work%22%5D.value%20eq%20%22ida@home-lab.example%22",
            "emails.value%20eq%20%22ida@home-lab.example%22",
            "name.givenName%20sw%20%22I%22%20and%20active%20eq%20true",
        ] {
            let found = okta.get(&format!("/Users?filter={filter}")).await.expect(200);
            assert_eq!(found.body["totalResults"], 1, "{filter}");
            assert_eq!(found.body["Resources"][0], made.body, "{filter}");
        }
        let nobody = okta
            .get("/Users?filter=userName%20eq%20%22nobody%22&startIndex=1&count=100")
            .await
            .expect(200);
        assert_eq!(
            (&nobody.body["totalResults"], &nobody.body["Resources"]),
            (&json!(0), &json!([]))
        );
    })
    .await;
}

#[tokio::test]
async fn r08_r13_the_account_is_there_before_any_sign_in_with_role_and_license() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let id = okta.hire("ida").await;
        let account = accounts(&test.app, "ida@home-lab.example").await.remove(0);
        assert_eq!(account.id.as_str(), id);
        let memberships = test
            .app
            .store
            .read(|reader| Box::pin(async move { reader.memberships(&account.id).await }))
            .await
            .unwrap();
        let membership = &memberships[0];
        assert_eq!(membership.organization.as_str(), "home-lab");
        assert_eq!(membership.roles[0].id.as_str(), "member");
        assert!(membership.all_workspaces.is_some());
        let license = membership.license.as_ref().unwrap();
        assert!(license.seated && license.license.as_str() == "standard");
    })
    .await;
}

#[tokio::test]
async fn r156_r157_a_clash_names_the_attribute_and_the_look_up_finds_it() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        okta.hire("ida").await;
        for (changes, attribute) in [
            (json!({ "externalId": "other" }), "userName"),
            (
                json!({ "userName": "IDA@HOME-LAB.EXAMPLE", "externalId": "other" }),
                "userName",
            ),
            (
                json!({ "userName": "other@home-lab.example", "externalId": "other" }),
                "emails",
            ),
        ] {
            let mut body = person("ida");
            body.as_object_mut()
                .unwrap()
                .extend(changes.as_object().unwrap().clone());
            let answer = okta.post("/Users", body).await.refused(409, Some("uniqueness"));
            assert!(answer.text.contains(attribute), "{attribute} in {}", answer.text);
        }
        assert_eq!(account_count(&test.app).await, 1);
        // The directory's own identifier may be anything, twice as well (RFC 7643 3.1): the first one keeps it as a key.
        let mut same_id = person("ida");
        same_id["userName"] = json!("other@home-lab.example");
        same_id["emails"] = json!([{ "value": "other@home-lab.example" }]);
        let answer = okta.post("/Users", same_id.clone()).await.expect(201);
        assert_eq!(answer.body["externalId"], same_id["externalId"]);
        // The same person in another customer's directory is another one.
        let acme = Directory::of(&test, "acme").await;
        let mut body = person("ida");
        body["userName"] = json!("ida");
        body["emails"] = json!([{ "value": "ida@acme.example" }]);
        acme.post("/Users", body).await.expect(201);
    })
    .await;
}

#[tokio::test]
async fn r77_r84_changes_overwrite_and_removals_empty() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let id = okta.hire("ida").await;
        let path = format!("/Users/{id}");
        let answer = okta
            .patch(
                &path,
                json!([
                    { "op": "Add", "path": "title", "value": "Boss" },
                    { "op": "replace", "value": { "name.familyName": "Neu", "displayName": "Ida Neu" } },
                    { "op": "Add", "path": format!("{ENTERPRISE}:department"), "value": "Tools" },
                    { "op": "add", "path": "phoneNumbers[type eq \"work\"].value", "value": "+1 2" },
                ]),
            )
            .await
            .expect(200);
        assert_eq!(answer.body["title"], "Boss");
        assert_eq!(answer.body["name"], json!({ "givenName": "ida", "familyName": "Neu" }));
        assert_eq!(answer.body[ENTERPRISE]["department"], "Tools");
        assert_eq!(answer.body["phoneNumbers"][0], json!({ "type": "work", "value": "+1 2" }));
        let account = accounts(&test.app, "ida@home-lab.example").await.remove(0);
        assert_eq!(account.family_name.as_deref(), Some("Neu"));
        assert_eq!(account.display_name.as_deref(), Some("Ida Neu"));
        let answer = okta
            .patch(
                &path,
                json!([{ "op": "remove", "path": "title" }, { "op": "replace", "path": "displayName", "value": null }]),
            )
            .await
            .expect(200);
        assert_eq!(answer.body.get("title"), None);
        let account = accounts(&test.app, "ida@home-lab.example").await.remove(0);
        assert_eq!(account.display_name, None);
        // PUT replaces everything that can be written.
        let mut body = person("ida");
        body["id"] = json!("something else");
        body["meta"] = json!({ "version": "W/\"99\"" });
        let answer = okta.put(&path, body).await.expect(200);
        assert_eq!(answer.id(), id);
        assert_eq!(answer.body.get("phoneNumbers"), None);
        assert_eq!(answer.body.get(ENTERPRISE), None);
        assert_eq!(answer.body["name"]["familyName"], "Muster");
    })
    .await;
}

#[tokio::test]
async fn a_write_that_changes_nothing_writes_nothing() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let made = okta.post("/Users", person("ida")).await.expect(201);
        let path = format!("/Users/{}", made.id());
        let last = || async {
            let store = &test.app.store;
            let last: Result<i64, provost_store::StoreError> =
                store.read(|reader| Box::pin(reader.last_event())).await;
            last.unwrap()
        };
        let before = last().await;
        okta.put(&path, person("ida")).await.expect(200);
        let answer = okta
            .patch(
                &path,
                json!([{ "op": "add", "path": "displayName", "value": "ida Muster" }]),
            )
            .await
            .expect(200);
        assert_eq!(answer.body, made.body, "lastModified and version too");
        assert_eq!(last().await, before, "no event");
    })
    .await;
}

#[tokio::test]
async fn r81_r154_r155_every_way_of_deactivating_keeps_the_rest() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let ways = [
            json!([{ "op": "replace", "value": { "active": false } }]),
            json!([{ "op": "Replace", "path": "active", "value": "False" }]),
            json!([{ "op": "replace", "path": "active", "value": false }]),
            json!([{ "op": "add", "path": "active", "value": "false" }]),
        ];
        for (number, way) in ways.into_iter().enumerate() {
            let id = okta.hire(&format!("p{number}")).await;
            let path = format!("/Users/{id}");
            let answer = okta.patch(&path, way).await.expect(200);
            assert_eq!(answer.body["active"], false);
            assert_eq!(answer.body["userName"], format!("p{number}@home-lab.example"));
            assert_eq!(answer.body["name"]["familyName"], "Muster");
            // Still to be read and found, and brought back.
            let found = okta
                .get(&format!("/Users?filter=externalId%20eq%20%2200u-p{number}%22"))
                .await;
            assert_eq!(found.body["Resources"][0]["active"], false);
            okta.patch(
                &path,
                json!([{ "op": "replace", "path": "active", "value": "True" }]),
            )
            .await
            .expect(200);
            assert_eq!(okta.get(&path).await.body["active"], true);
            let mut body = person(&format!("p{number}"));
            body["active"] = json!(false);
            assert_eq!(
                okta.put(&path, body.clone()).await.expect(200).body["active"],
                false
            );
            // A PUT that drops `active` brings nobody back.
            body.as_object_mut().unwrap().remove("active");
            assert_eq!(okta.put(&path, body).await.expect(200).body["active"], false);
        }
    })
    .await;
}

#[tokio::test]
async fn r10_r16_a_deleted_person_is_gone_and_the_name_is_free() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let id = okta.hire("ida").await;
        let path = format!("/Users/{id}");
        let answer = okta.delete(&path).await.expect(204);
        assert_eq!((answer.text.as_str(), answer.header("content-type")), ("", None));
        for answer in [
            okta.get(&path).await,
            okta.delete(&path).await,
            okta.put(&path, person("ida")).await,
            okta.patch(&path, json!([{ "op": "replace", "path": "title", "value": "x" }]))
                .await,
        ] {
            answer.refused(404, None);
        }
        let listed = okta.get("/Users").await.expect(200);
        assert_eq!(listed.body["totalResults"], 0);
        // whoever comes back is the same person.
        assert_eq!(okta.hire("ida").await, id);
    })
    .await;
}

#[tokio::test]
async fn r83_custom_attributes_are_published_kept_and_synchronized() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let schema = okta.get(&format!("/Schemas/{CUSTOM}")).await.expect(200);
        assert_eq!(schema.body["attributes"][0]["name"], "nfc");
        let mut body = person("ida");
        // Okta lets the admin choose the namespace.
        body["nfc"] = json!("04:A2");
        let made = okta.post("/Users", body).await.expect(201);
        assert_eq!(made.body[CUSTOM]["nfc"], "04:A2");
        let path = format!("/Users/{}", made.id());
        let nfc = || async {
            let account = accounts(&test.app, "ida@home-lab.example").await.remove(0);
            account.attributes.get("nfc").cloned()
        };
        assert_eq!(nfc().await, Some(json!("04:A2")));
        okta.patch(
            &path,
            json!([{ "op": "replace", "path": format!("{CUSTOM}:nfc"), "value": "05:B3" }]),
        )
        .await
        .expect(200);
        assert_eq!(nfc().await, Some(json!("05:B3")));
        let found = okta
            .get(&format!("/Users?filter={CUSTOM}:nfc%20eq%20%2205:b3%22"))
            .await
            .expect(200);
        assert_eq!(found.body["totalResults"], 1);
        okta.patch(
            &path,
            json!([{ "op": "remove", "path": format!("{CUSTOM}:nfc") }]),
        )
        .await
        .expect(200);
        assert_eq!(nfc().await, None);
    })
    .await;
}

#[tokio::test]
async fn versions_are_shown_demanded_and_may_be_switched_off() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let made = okta.post("/Users", person("ida")).await.expect(201);
        let path = format!("/Users/{}", made.id());
        let tag = made.header("etag").unwrap().to_owned();
        okta.and("if-none-match", &tag).get(&path).await.expect(304);
        okta.and("if-match", "W/\"77\"")
            .patch(&path, json!([{ "op": "replace", "path": "title", "value": "x" }]))
            .await
            .refused(412, None);
        let changed = okta
            .and("if-match", &tag)
            .patch(&path, json!([{ "op": "replace", "path": "title", "value": "x" }]))
            .await
            .expect(200);
        assert_ne!(changed.header("etag"), Some(tag.as_str()));
        okta.and("if-none-match", &tag).get(&path).await.expect(200);
        okta.and("if-match", &tag).delete(&path).await.refused(412, None);
        okta.and("if-match", "*").delete(&path).await.expect(204);
        lab::change(
            &test.app,
            "scim: { attributes:",
            "scim: { etag: false, attributes:",
        )
        .await;
        let made = okta.post("/Users", person("kim")).await.expect(201);
        assert_eq!(
            (made.header("etag"), made.body["meta"].get("version")),
            (None, None)
        );
        okta.and("if-match", "W/\"77\"")
            .delete(&format!("/Users/{}", made.id()))
            .await
            .expect(204);
    })
    .await;
}

#[tokio::test]
async fn r17_r80_every_operation_can_be_switched_off_alone() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let id = okta.hire("ida").await;
        let path = format!("/Users/{id}");
        let only = |operations: &str| format!("scim: {{ operations: [{operations}], attributes:");
        let title = json!([{ "op": "replace", "path": "title", "value": "Boss" }]);
        let leave = json!([{ "op": "replace", "path": "active", "value": false }]);
        let both = json!([
            { "op": "replace", "path": "title", "value": "Chief" },
            { "op": "replace", "path": "active", "value": false },
        ]);
        let off = |answer: super::lab::Answer, word: &str| {
            let answer = answer.refused(403, None);
            assert!(
                answer.text.contains(&format!("'{word}'")),
                "{word} in {}",
                answer.text
            );
        };
        lab::change(
            &test.app,
            "scim: { attributes:",
            &only("read, deactivate, delete, groups"),
        )
        .await;
        off(okta.post("/Users", person("kim")).await, "create");
        off(okta.patch(&path, title.clone()).await, "update");
        off(okta.patch(&path, both.clone()).await, "update");
        assert_eq!(okta.get(&path).await.body["active"], true, "nothing was changed");
        // Only the switch was thrown: that is allowed, by PUT as well.
        let mut body = person("ida");
        body["active"] = json!(false);
        okta.put(&path, body).await.expect(200);
        okta.put(&path, person("ida")).await.expect(200);
        lab::change(&test.app, "scim: { attributes:", &only("read, create, update")).await;
        off(okta.patch(&path, leave.clone()).await, "deactivate");
        off(okta.patch(&path, both).await, "deactivate");
        okta.patch(&path, title).await.expect(200);
        off(okta.delete(&path).await, "delete");
        off(
            okta.post("/Groups", json!({ "displayName": "G" })).await,
            "groups",
        );
        // With `read` off the exact look-up stays, unless that is off too.
        lab::change(&test.app, "scim: { attributes:", &only("create, update")).await;
        off(okta.get("/Users").await, "read");
        off(okta.get("/Users?filter=userName%20sw%20%22i%22").await, "read");
        off(okta.get("/Groups").await, "read");
        okta.get("/Users?filter=userName%20eq%20%22ida@home-lab.example%22")
            .await
            .expect(200);
        okta.get(&path).await.expect(200);
        let closed = only("create, update").replace("attributes:", "look_up: false, attributes:");
        lab::change(&test.app, "scim: { attributes:", &closed).await;
        off(
            okta.get("/Users?filter=userName%20eq%20%22ida@home-lab.example%22")
                .await,
            "read",
        );
        off(okta.get(&path).await, "read");
        okta.get("/ServiceProviderConfig").await.expect(200);
    })
    .await;
}

/// The identifiers on a page.
fn listed(body: &Value) -> Vec<String> {
    body["Resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap().to_owned())
        .collect()
}

/// Goes back from the page with the last five, and looks at what is said about pages.
async fn leads_back(okta: &Directory, cursor: &str, expected: &[String]) {
    let page = okta
        .get(&format!("/Users?cursor={cursor}&count=10"))
        .await
        .expect(200);
    assert_eq!(listed(&page.body), expected);
    assert!(page.body["nextCursor"].is_string() && page.body["previousCursor"].is_string());
    let config = okta.get("/ServiceProviderConfig").await.expect(200);
    let pagination = &config.body["pagination"];
    assert_eq!(
        (
            &pagination["cursor"],
            &pagination["index"],
            pagination.get("cursorTimeout")
        ),
        (&json!(true), &json!(true), None)
    );
}

#[tokio::test]
async fn r152_pages_are_whole_numbers_in_a_stable_order_by_number_and_by_cursor() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let mut ids = Vec::new();
        for number in 0..25 {
            ids.push(okta.hire(&format!("p{number:02}")).await);
        }
        let mut seen = Vec::new();
        for start in [1, 11, 21, 31] {
            let page = okta
                .get(&format!("/Users?startIndex={start}&count=10"))
                .await
                .expect(200);
            assert_eq!(page.body["totalResults"], 25);
            assert_eq!(page.body["startIndex"], start);
            let on_page = listed(&page.body);
            assert_eq!(page.body["itemsPerPage"], on_page.len());
            seen.extend(on_page);
        }
        assert_eq!(seen, ids);
        let mut seen = Vec::new();
        let mut cursor = String::new();
        let back = loop {
            let page = okta
                .get(&format!("/Users?cursor={cursor}&count=10"))
                .await
                .expect(200);
            seen.extend(listed(&page.body));
            let back = page.body["previousCursor"].as_str().map(str::to_owned);
            assert_eq!(back.is_none(), cursor.is_empty());
            match page.body["nextCursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break back,
            }
        };
        assert_eq!(seen, ids);
        leads_back(&okta, &back.unwrap(), &ids[10..20]).await;
        okta.get("/Users?cursor=nonsense")
            .await
            .refused(400, Some("invalidCursor"));
        let sorted = okta
            .get("/Users?sortBy=userName&sortOrder=descending&count=1&attributes=userName")
            .await
            .expect(200);
        let last = &sorted.body["Resources"][0];
        assert_eq!(last["userName"], "p24@home-lab.example");
        assert_eq!((last.get("name"), last.get("meta")), (None, None));
        let counted = okta.get("/Users?count=0").await.expect(200);
        assert_eq!(
            (&counted.body["totalResults"], &counted.body["Resources"]),
            (&json!(25), &json!([]))
        );
        // `.search` says the same, at the root over people and groups.
        okta.post("/Groups", json!({ "displayName": "G" }))
            .await
            .expect(201);
        let search = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
            "startIndex": 24, "count": 5,
        });
        let page = okta.post("/.search", search.clone()).await.expect(200);
        assert_eq!(page.body["totalResults"], 26);
        assert_eq!(page.body["Resources"][2]["displayName"], "G");
        assert_eq!(
            okta.post("/Users/.search", search).await.expect(200).body["totalResults"],
            25
        );
    })
    .await;
}

#[tokio::test]
async fn r158_an_account_that_is_there_already_is_refused_or_taken_over_as_set() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let there = crate::directory::sso_account(&test.app, "ida@home-lab.example", "okta").await;
        // what clashes can be found.
        let found = okta
            .get("/Users?filter=userName%20eq%20%22ida@home-lab.example%22%20or%20emails.value%20eq%20%22ida@home-lab.example%22")
            .await
            .expect(200);
        assert_eq!(found.body["Resources"][0]["id"], json!(there));
        okta.post("/Users", person("ida")).await.refused(409, Some("uniqueness"));
        lab::change(&test.app, "scim: { attributes:", "scim: { existing: link, attributes:").await;
        let made = okta.post("/Users", person("ida")).await.expect(201);
        assert_eq!(made.id(), there.as_str());
        // an account with a password is another one, whatever the setting.
        let standard = crate::directory::standard_account(&test.app, "kim@home-lab.example", None).await;
        let made = okta.post("/Users", person("kim")).await.expect(201);
        assert_ne!(made.id(), standard.as_str());
        let path = format!("/Users/{standard}");
        okta.get(&path).await.refused(404, None);
        okta.delete(&path).await.refused(404, None);
    })
    .await;
}

#[tokio::test]
async fn only_addresses_of_verified_domains_are_accepted() {
    on_each_engine(|test| async move {
        lab::fill(&test.app).await;
        let okta = Directory::of(&test, "okta").await;
        let mut body = person("ida");
        body["emails"] = json!([{ "value": "ida@elsewhere.example" }]);
        // Whoever reads this at the identity provider learns which domain it is and what to do.
        let says = |answer: &Value, domain: &str| {
            let detail = answer["detail"].as_str().unwrap();
            assert!(detail.contains(&format!("lies in {domain}, which")), "{detail}");
            assert!(detail.contains("verify the domain") && detail.contains("require_domain"), "{detail}");
            assert!(!detail.contains('@'), "the domain is enough: {detail}");
        };
        let answer = okta.post("/Users", body).await.refused(400, Some("invalidValue"));
        says(&answer.body, "elsewhere.example");
        let id = okta.hire("ida").await;
        let answer = okta
            .patch(
                &format!("/Users/{id}"),
                json!([{ "op": "replace", "path": "emails[type eq \"work\"].value", "value": "boss@acme.example" }]),
            )
            .await
            .refused(400, Some("invalidValue"));
        says(&answer.body, "acme.example");
        assert!(accounts(&test.app, "boss@acme.example").await.is_empty());
    })
    .await;
}
