//! The console's policy editor: what it offers to write rules for.

use serde_json::json;

use crate::app::{Browser, TestApp, on_each_engine};
use crate::saml_idp;
use crate::scim::lab::{self, Directory};

const PASSWORD: &str = "correct horse battery staple";

/// A customer with a connection that a directory pushes into.
const WORLD: &str = r#"
organizations:
  - id: home-lab
    name: Home Lab
    domains: [{ name: home-lab.example, verified: true }]
    roles: [{ id: owner, name: Owner, owner: true }, { id: member, name: Member, default: true }]
    workspaces: [{ id: main, name: Main, default: true }]
connections:
  - id: pushed
    organization: home-lab
    protocol: oidc
    oidc: { issuer: "https://login.home-lab.example", client_id: provost, client_secret: "upstream-secret-0123456789" }
    domains: [home-lab.example]
    provisioning: scim
users:
  - { email: olga@home-lab.example, password: "correct horse battery staple", memberships: [{ organization: home-lab, roles: [owner] }] }
"#;

async fn editor(browser: &mut Browser, connection: &str) -> String {
    let page = browser
        .get(&format!("/console/home-lab/connections/{connection}/policies"))
        .await;
    page.body
}

/// Returns what a list of suggestions holds, in its order.
fn offered(page: &str, list: &str) -> Vec<String> {
    let (_, from) = page.split_once(&format!("<datalist id=\"{list}\">")).unwrap();
    let (options, _) = from.split_once("</datalist>").unwrap();
    let parts = options.split("value=\"").skip(1);
    parts
        .map(|part| part.split_once('"').unwrap().0.to_owned())
        .collect()
}

#[tokio::test]
async fn r137_groups_seen_in_pushes_and_in_claims_are_offered_for_selection() {
    on_each_engine(|app: TestApp| async move {
        lab::apply(&app.app, WORLD).await;
        saml_idp::connect(&app.app, "okta", |_| {}).await;
        let mut olga = app.browser();
        let form = olga.get("/login/password").await.form("/login/password");
        olga.submit(
            &form,
            &[("email", "olga@home-lab.example"), ("password", PASSWORD)],
        )
        .await;
        // Nothing has come: nothing is offered, and the editor is there.
        assert!(offered(&editor(&mut olga, "pushed").await, "groups-seen").is_empty());

        let directory = Directory::of(&app, "pushed").await;
        for name in ["Night shift", "\"Quoted\" & <b>"] {
            let group =
                json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name});
            directory.post("/Groups", group).await.expect(201);
        }
        assert_eq!(
            offered(&editor(&mut olga, "pushed").await, "groups-seen"),
            ["&#34;Quoted&#34; &#38; &#60;b&#62;", "Night shift"]
        );

        let person =
            saml_idp::Person::new("ann-1", "ann@home-lab.example").with("groups", &["lab", "admins"]);
        saml_idp::sign_in(&app.app, &mut app.browser(), "okta", &person).await;
        let other = saml_idp::Person::new("bo-1", "bo@home-lab.example").with("groups", &["lab", "press"]);
        saml_idp::sign_in(&app.app, &mut app.browser(), "okta", &other).await;
        let page = editor(&mut olga, "okta").await;
        // Of both people, each once; another connection's groups are not among them.
        assert_eq!(offered(&page, "groups-seen"), ["admins", "lab", "press"]);
        assert!(
            offered(&page, "claims-seen").contains(&"groups".to_owned()),
            "{page}"
        );
        for field in ["group_value", "map_value"] {
            let with_list = format!("<input name=\"{field}\" list=\"groups-seen\"");
            assert!(page.contains(&with_list), "{field}");
        }
    })
    .await;
}
