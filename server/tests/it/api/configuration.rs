//! Configuration, keys and tokens through the API.

use axum::http::{Method, StatusCode};
use provost::flow::api_keys::{self, Caller, NewKey, Scope};
use provost_kernel::id::{AccountId, OrganizationId};
use provost_kernel::provision::Actor;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::{ANN, CONNECTION, Client, OTHER, ann, code, furnish};
use crate::app::on_each_engine;
use crate::directory::{self, ORGANIZATION};

#[tokio::test]
async fn r190_the_configuration_is_exported_and_applied_with_a_dry_run() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, None).await;
        let exported = client.get("/api/v1/configuration").await;
        assert_eq!(exported.status, StatusCode::OK, "{}", exported.body);
        let mut document = exported.json();
        // The connection of these tests was stored without keys of its own; applying makes them, once.
        client
            .send_json(Method::PUT, "/api/v1/configuration", &document)
            .await;
        let page = client
            .send_json(Method::PUT, "/api/v1/configuration", &document)
            .await;
        assert_eq!(page.json()["changes"], json!([]), "{}", page.body);
        document["organizations"][0]["name"] = json!("Another Lab");
        let page = client
            .send_json(Method::PUT, "/api/v1/configuration?dry_run=true", &document)
            .await;
        assert_eq!(
            page.json()["changes"][0]["what"],
            format!("organization {ORGANIZATION}"),
            "{}",
            page.body
        );
        let organization = format!("/api/v1/organizations/{ORGANIZATION}");
        assert_eq!(client.get(&organization).await.json()["name"], "Home Lab");
        let page = client
            .send_json(Method::PUT, "/api/v1/configuration", &document)
            .await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        assert_eq!(client.get(&organization).await.json()["name"], "Another Lab");
        let audit = client
            .get(&format!(
                "/api/v1/audit?organization={ORGANIZATION}&kind=organization"
            ))
            .await
            .json();
        assert!(
            audit["items"][0]["actor"]
                .as_str()
                .unwrap()
                .starts_with("api_key:"),
            "{audit}"
        );
        let page = client
            .send_json(
                Method::PUT,
                "/api/v1/configuration",
                &json!({ "organisations": [] }),
            )
            .await;
        assert_eq!(code(&page), "invalid_body");
        let mut own = Client::new(&app, Some(ORGANIZATION)).await;
        assert_eq!(
            code(&own.get("/api/v1/configuration").await),
            "instance_key_needed"
        );
    })
    .await;
}

#[tokio::test]
async fn r127_the_default_workspace_and_what_people_hold_cannot_be_removed() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, None).await;
        let path = format!("/api/v1/organizations/{ORGANIZATION}");
        let roles = json!([{ "id": "owner", "name": "Owner" }, { "id": "admin", "name": "Admin" }, { "id": "member", "name": "Member", "default": true }]);
        let body = json!({ "name": "Home Lab", "roles": roles, "workspaces": [{ "id": "lab", "name": "Lab" }], "domains": [{ "name": directory::DOMAIN, "verified": true }] });
        let page = client.send_json(Method::PUT, &path, &body).await;
        assert_eq!((page.status, code(&page).as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "invalid_configuration"));
        assert!(page.body.contains("default workspace"), "{}", page.body);
        // Ann holds the role Admin.
        let body = json!({ "name": "Home Lab", "roles": [{ "id": "member", "name": "Member", "default": true }],
            "workspaces": [{ "id": "main", "name": "Main", "default": true }, { "id": "lab", "name": "Lab" }], "domains": [{ "name": directory::DOMAIN, "verified": true }] });
        let page = client.send_json(Method::PUT, &path, &body).await;
        assert!(page.body.contains("name a role that takes its place"), "{}", page.body);
        let body = json!({ "name": "Home Lab", "roles": roles, "licenses": [{ "id": "standard", "seats": 3 }],
            "workspaces": [{ "id": "main", "name": "Main", "default": true }], "domains": [{ "name": directory::DOMAIN, "verified": true }] });
        let page = client.send_json(Method::PUT, &path, &body).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let organization = client.get(&path).await.json();
        assert_eq!(organization["workspaces"].as_array().unwrap().len(), 1);
        assert_eq!(organization["licenses"][0]["seats"], 3);
        let page = client.send(Method::DELETE, &path).await;
        assert_eq!((page.status, code(&page).as_str()), (StatusCode::CONFLICT, "organization_in_use"));
        let page = client.send(Method::DELETE, &format!("/api/v1/organizations/{OTHER}")).await;
        assert_eq!(page.status, StatusCode::NO_CONTENT, "{}", page.body);
    })
    .await;
}

#[tokio::test]
async fn r176_the_end_of_a_connection_shows_the_people_first_and_asks_what_becomes_of_them() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut own = Client::new(&app, Some(ORGANIZATION)).await;
        let path = format!("/api/v1/connections/{CONNECTION}");
        let affected = own.get(&format!("{path}/affected")).await.json();
        assert_eq!(
            (
                affected["count"].as_u64(),
                affected["accounts"][0]["email"].as_str()
            ),
            (Some(1), Some(ANN))
        );
        let page = own.send(Method::DELETE, &path).await;
        assert_eq!(
            (page.status, code(&page).as_str()),
            (StatusCode::CONFLICT, "connection_in_use")
        );
        let id = ann(&app).await;
        let page = own.send(Method::DELETE, &format!("{path}?people=keep")).await;
        assert_eq!(page.json()["outcome"], "retired", "{}", page.body);
        assert_eq!(own.get(&path).await.json()["enabled"], false);
        let account = format!("/api/v1/accounts/{id}");
        assert_eq!(own.get(&account).await.json()["status"], "active");
        let page = own.send(Method::DELETE, &format!("{path}?people=delete")).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        assert_eq!(own.get(&account).await.json()["status"], "deleted");
    })
    .await;
}

#[tokio::test]
async fn connections_and_applications_are_made_by_the_rules_of_the_file_and_secrets_are_never_read() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut own = Client::new(&app, Some(ORGANIZATION)).await;
        let entry = json!({
            "protocol": "oidc", "domains": [directory::DOMAIN],
            "oidc": { "issuer": "https://idp.example", "client_id": "us", "client_secret": "swordfish-swordfish" },
        });
        let page = own.send_json(Method::PUT, "/api/v1/connections/mine", &entry).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        assert!(!page.body.contains("swordfish"));
        let shown = own.get("/api/v1/connections/mine").await;
        assert_eq!(shown.json()["organization"], ORGANIZATION, "{}", shown.body);
        assert!(!shown.body.contains("swordfish"));
        for (field, value) in [("shared_with", json!([OTHER])), ("scope", json!("instance")), ("organization", json!(OTHER))] {
            let mut wider = entry.clone();
            wider[field] = value;
            let page = own.send_json(Method::PUT, "/api/v1/connections/wider", &wider).await;
            assert_eq!(code(&page), "invalid_configuration", "{field}: {}", page.body);
        }
        // No file of the machine is ever read for a program.
        let reading = json!({ "protocol": "saml", "saml": { "metadata_file": "/etc/passwd" } });
        let page = own.send_json(Method::PUT, "/api/v1/connections/files", &reading).await;
        assert!(page.body.contains("Files cannot be named here"), "{}", page.body);
        let mut other = Client::new(&app, Some(OTHER)).await;
        assert_eq!(other.send_json(Method::PUT, "/api/v1/connections/mine", &entry).await.status, StatusCode::NOT_FOUND);
        let mut client = Client::new(&app, None).await;
        let application = json!({ "client_secret": "0123456789abcdefghijklmnop", "redirect_uris": ["https://app.example/callback"] });
        let page = client.send_json(Method::PUT, "/api/v1/applications/shop", &application).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let listed = client.get("/api/v1/applications").await;
        assert_eq!(listed.json()["items"][0]["has_secret"], true);
        assert!(!listed.body.contains("0123456789abcdef"), "{}", listed.body);
        assert_eq!(client.send(Method::DELETE, "/api/v1/applications/shop").await.status, StatusCode::NO_CONTENT);
        assert_eq!(client.send(Method::DELETE, "/api/v1/applications/shop").await.status, StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn keys_and_tokens_are_shown_once_and_give_no_more_than_their_maker_has() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let narrow = super::key(
            &app,
            Some(ORGANIZATION),
            &[Scope::KeysWrite, Scope::KeysRead, Scope::AccountsRead],
        )
        .await;
        let mut client = Client::with(&app, &narrow);
        let page = client
            .post(
                "/api/v1/api-keys",
                &json!({ "label": "reader", "scopes": ["accounts:read"], "days": 3 }),
            )
            .await;
        assert_eq!(page.status, StatusCode::CREATED, "{}", page.body);
        let made = page.json();
        assert_eq!(made["token"]["organization"], ORGANIZATION);
        let secret = made["secret"].as_str().unwrap().to_owned();
        let mut reader = Client::with(&app, &secret);
        assert_eq!(reader.get("/api/v1/accounts").await.status, StatusCode::OK);
        let wider = json!({ "label": "wider", "scopes": ["accounts:write"] });
        assert_eq!(
            code(&client.post("/api/v1/api-keys", &wider).await),
            "not_permitted"
        );
        let elsewhere = json!({ "label": "elsewhere", "scopes": ["accounts:read"], "organization": OTHER });
        assert_eq!(
            client.post("/api/v1/api-keys", &elsewhere).await.status,
            StatusCode::NOT_FOUND
        );
        let listed = client.get("/api/v1/api-keys").await;
        assert!(!listed.body.contains(&secret), "{}", listed.body);
        let id = made["token"]["id"].as_str().unwrap();
        let mut other = Client::new(&app, Some(OTHER)).await;
        let path = format!("/api/v1/api-keys/{id}");
        assert_eq!(
            other.send(Method::DELETE, &path).await.status,
            StatusCode::NOT_FOUND
        );
        assert_eq!(
            client.send(Method::DELETE, &path).await.status,
            StatusCode::NO_CONTENT
        );
        assert_eq!(code(&reader.get("/api/v1/accounts").await), "invalid_api_key");
        let mut own = Client::new(&app, Some(ORGANIZATION)).await;
        let tokens = format!("/api/v1/connections/{CONNECTION}/scim-tokens");
        let page = own.post(&tokens, &json!({ "label": "okta" })).await;
        assert_eq!(page.status, StatusCode::CREATED, "{}", page.body);
        let token = page.json()["token"]["id"].as_str().unwrap().to_owned();
        assert_eq!(
            code(&own.post(&tokens, &json!({ "label": "okta" })).await),
            "label_taken"
        );
        assert_eq!(
            own.send(Method::DELETE, &format!("{tokens}/{token}"))
                .await
                .status,
            StatusCode::NO_CONTENT
        );
        assert_eq!(
            own.send(Method::DELETE, &format!("{tokens}/{token}"))
                .await
                .status,
            StatusCode::NOT_FOUND
        );
    })
    .await;
}

#[tokio::test]
async fn r167_a_key_ends_with_the_account_of_whoever_made_it_and_so_do_keys_made_with_it() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut operator = Client::new(&app, None).await;
        let id = ann(&app).await;
        let organization = OrganizationId::new(ORGANIZATION);
        let caller = Caller {
            person: Some(Actor::Admin {
                account: AccountId::new(&id),
                organization: organization.clone(),
            }),
            organization: Some(organization),
            ..Caller::operator()
        };
        let new = NewKey {
            label: "hers".to_owned(),
            organization: None,
            scopes: vec![Scope::AccountsRead, Scope::KeysRead, Scope::KeysWrite],
            days: None,
        };
        let made = api_keys::create_by(&app.app, &caller, new).await.unwrap();
        let mut hers = Client::with(&app, made.secret.expose_secret());
        let body = json!({ "label": "by the first", "scopes": ["accounts:read"] });
        let second = hers.post("/api/v1/api-keys", &body).await;
        assert_eq!(second.status, StatusCode::CREATED, "{}", second.body);
        assert_eq!(second.json()["token"]["made_by"], id.as_str());
        let mut second = Client::with(&app, second.json()["secret"].as_str().unwrap());
        let step = |step: &str| format!("/api/v1/accounts/{id}/{step}");
        for (what, is_good) in [
            ("suspend", false),
            ("reactivate", true),
            ("deactivate", false),
            ("reactivate", false),
        ] {
            let page = operator.post(&step(what), &json!({})).await;
            assert_eq!(page.status, StatusCode::OK, "{what}: {}", page.body);
            let expected = if is_good {
                StatusCode::OK
            } else {
                StatusCode::UNAUTHORIZED
            };
            for key in [&mut hers, &mut second] {
                assert_eq!(key.get("/api/v1/accounts").await.status, expected, "{what}");
            }
        }
        let listed = operator.get("/api/v1/api-keys").await.json();
        let ended = listed["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|key| key["made_by"] == id.as_str());
        assert!(
            ended.clone().count() == 2 && ended.clone().all(|key| key["revoked_at"].is_string()),
            "{listed}"
        );
        assert_eq!(
            operator.get("/api/v1/accounts").await.status,
            StatusCode::OK,
            "nobody's key goes on"
        );
        let log = operator
            .get(&format!(
                "/api/v1/audit?organization={ORGANIZATION}&kind=api_key.revoked"
            ))
            .await
            .json();
        let revoked = log["items"].as_array().unwrap();
        assert_eq!(revoked.len(), 2, "{log}");
        assert!(
            revoked.iter().any(|row| row["data"]["label"] == "by the first"),
            "{log}"
        );
    })
    .await;
}

#[tokio::test]
async fn workspaces_and_licenses_are_changed_one_by_one_and_what_is_held_stays() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, None).await;
        let path = |rest: &str| format!("/api/v1/organizations/{ORGANIZATION}/{rest}");
        let before = client.get(&path("workspaces")).await.json();
        for (rest, body) in [
            ("workspaces/annex", json!({ "name": "Annex" })),
            ("licenses/visitors", json!({ "seats": 2, "kind": "reader" })),
        ] {
            let page = client.send_json(Method::PUT, &path(rest), &body).await;
            assert_eq!(page.status, StatusCode::NO_CONTENT, "{}", page.body);
            let mut own = Client::new(&app, Some(ORGANIZATION)).await;
            let page = own.send_json(Method::PUT, &path(rest), &body).await;
            assert_eq!(code(&page), "instance_key_needed");
            let page = client.send_json(Method::PUT, &format!("/api/v1/organizations/none/{rest}"), &body).await;
            assert_eq!(code(&page), "not_found");
        }
        let member = json!({ "email": "vic@home-lab.example", "kind": "reader",
            "memberships": [{ "organization": ORGANIZATION, "workspaces": ["annex"], "license": "visitors" }] });
        let page = client.post("/api/v1/accounts", &member).await;
        assert_eq!(page.status, StatusCode::CREATED, "{}", page.body);
        let pools = client.get(&path("licenses")).await.json();
        assert_eq!(pools["items"].as_array().unwrap().last().unwrap(), &json!({ "id": "visitors", "seats": 2, "used": 1, "kind": "reader" }));
        let for_users = json!({ "seats": 2, "kind": "user" });
        let page = client.send_json(Method::PUT, &path("licenses/visitors"), &for_users).await;
        assert_eq!((page.status, code(&page).as_str()), (StatusCode::CONFLICT, "license_of_other_kind"));
        for (rest, wanted) in [
            ("licenses/visitors", "license_in_use"),
            ("workspaces/annex", "workspace_in_use"),
            ("workspaces/main", "default_workspace"),
            ("workspaces/none", "not_found"),
        ] {
            assert_eq!(code(&client.send(Method::DELETE, &path(rest)).await), wanted, "{rest}");
        }
        let nameless = client.send_json(Method::PUT, &path("workspaces/annex"), &json!({ "name": "" })).await;
        assert_eq!(code(&nameless), "invalid_workspace");
        let after = client.get(&path("workspaces")).await.json();
        let count = |list: &serde_json::Value| list["items"].as_array().unwrap().len();
        assert_eq!(count(&after), count(&before) + 1, "{after}");
        let log = client.get(&format!("/api/v1/audit?organization={ORGANIZATION}&kind=organization.updated")).await.json();
        assert!(log["items"][0]["data"]["licenses"]["before"].is_array(), "{log}");
    })
    .await;
}

#[tokio::test]
async fn r190_operators_choose_the_defaults_of_the_instance_over_the_api() {
    on_each_engine(|app| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, None).await;
        let path = "/api/v1/defaults";
        let nothing = client.get(path).await.json();
        assert_eq!(nothing["session_hours"], Value::Null, "{nothing}");
        let page = client
            .send_json(Method::PUT, path, &json!({ "session_hours": 4, "trace_days": 7 }))
            .await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        assert_eq!(client.get(path).await.json(), page.json());
        assert_eq!(page.json()["session_hours"], 4);
        assert_eq!(app.app.defaults.session_seconds(), 4 * 3600);
        for (body, status, expected) in [
            (
                json!({ "session_hours": 0 }),
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_default",
            ),
            (
                json!({ "session_days": 1 }),
                StatusCode::BAD_REQUEST,
                "invalid_body",
            ),
        ] {
            let page = client.send_json(Method::PUT, path, &body).await;
            assert_eq!(
                (page.status, code(&page).as_str()),
                (status, expected),
                "{body}: {}",
                page.body
            );
        }
        let page = client
            .send_json(Method::PUT, path, &json!({ "trace_days": 7 }))
            .await;
        assert_eq!(
            page.json()["session_hours"],
            Value::Null,
            "what is absent is as configured"
        );
        let log = client
            .get("/api/v1/audit?kind=instance.defaults_changed")
            .await
            .json();
        assert_eq!(log["items"].as_array().unwrap().len(), 2, "{log}");
        let mut own = Client::new(&app, Some(ORGANIZATION)).await;
        for page in [
            own.get(path).await,
            own.send_json(Method::PUT, path, &json!({})).await,
        ] {
            assert_eq!(
                (page.status, code(&page).as_str()),
                (StatusCode::FORBIDDEN, "instance_key_needed")
            );
        }
    })
    .await;
}
