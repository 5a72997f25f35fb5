//! `provost apply` and `provost export`: the file of the outer contract, its errors, its idempotence.

use std::path::Path;

use provost::app::App;
use provost::declarative::{self, ApplyError, Document, Mode, Report};
use provost_kernel::id::{ConnectionId, OrganizationId};
use provost_store::StoreError;

use crate::app::{Folder, TestApp, on_each_engine};
use crate::documents::{self, idp_metadata};

pub async fn apply(app: &App, text: &str, folder: &Path) -> Result<Report, ApplyError> {
    let document = declarative::read(text).unwrap_or_else(|error| panic!("{error}"));
    declarative::apply(app, document, folder, Mode::Write).await
}

async fn problems(app: &App, text: &str, folder: &Path) -> String {
    apply(app, text, folder)
        .await
        .expect_err("must be refused")
        .to_string()
}

fn lines(report: &Report) -> String {
    report.to_string()
}

#[tokio::test]
async fn the_file_of_the_contract_is_applied_once_and_then_changes_nothing() {
    on_each_engine(|app| async move {
        let folder = documents::folder();
        let report = apply(&app.app, documents::CONTRACT, &folder.0).await.unwrap();
        let text = lines(&report);
        for created in [
            "organization home-lab",
            "connection home-okta",
            "application sample-app",
            "user olga@home-lab.example",
        ] {
            assert!(text.contains(&format!("+ {created}")), "{created} in {text}");
        }
        let again = apply(&app.app, documents::CONTRACT, &folder.0).await.unwrap();
        assert!(again.is_empty(), "{again}");
        assert_eq!(again.to_string().lines().last(), Some("no changes"));
        let id = ConnectionId::new("home-okta");
        let stored: Result<_, StoreError> = app
            .app
            .store
            .read(|reader| Box::pin(async move { reader.connection(&id).await }))
            .await;
        let stored = stored.unwrap().unwrap();
        assert_eq!(
            stored.connection.version, 1,
            "nothing was written the second time"
        );
        assert_eq!(stored.connection.domains, ["home-lab.example"]);
        assert_eq!(
            stored.protocol_config["idp_entity_id"],
            "https://idp.example/saml"
        );
    })
    .await;
}

#[tokio::test]
async fn a_dry_run_shows_the_diff_and_keeps_nothing() {
    on_each_engine(|app| async move {
        let folder = documents::folder();
        let document = declarative::read(documents::CONTRACT).unwrap();
        let report = declarative::apply(&app.app, document, &folder.0, Mode::DryRun)
            .await
            .unwrap();
        assert!(report.to_string().contains("+ organization home-lab"), "{report}");
        let id = OrganizationId::new("home-lab");
        let stored: Result<_, StoreError> = app
            .app
            .store
            .read(|reader| Box::pin(async move { reader.organization(&id).await }))
            .await;
        assert!(stored.unwrap().is_none());
        apply(&app.app, documents::CONTRACT, &folder.0).await.unwrap();
        let changed = documents::CONTRACT
            .replace("name: Home Lab", "name: Renamed Lab")
            .replace("seats: 50", "seats: 60");
        let document = declarative::read(&changed).unwrap();
        let report = declarative::apply(&app.app, document, &folder.0, Mode::DryRun)
            .await
            .unwrap();
        let text = report.to_string();
        assert!(
            text.contains("~ organization home-lab") && text.contains("name: Home Lab → Renamed Lab"),
            "{text}"
        );
        assert!(text.contains("licenses.standard.seats: 50 → 60"), "{text}");
        assert!(
            apply(&app.app, documents::CONTRACT, &folder.0)
                .await
                .unwrap()
                .is_empty()
        );
    })
    .await;
}

#[tokio::test]
async fn what_is_exported_applies_as_no_change_and_holds_no_secret() {
    on_each_engine(|app| async move {
        let folder = documents::folder();
        apply(&app.app, documents::CONTRACT, &folder.0).await.unwrap();
        let document = declarative::export(&app.app).await.unwrap();
        let text = declarative::render(&document).unwrap();
        for secret in documents::SECRETS {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        let report = apply(&app.app, &text, Path::new("/nowhere"))
            .await
            .unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert!(report.is_empty(), "{report}\n{text}");
        let read_again: Document = declarative::read(&text).unwrap();
        assert_eq!(read_again, document);
        let json = serde_json::to_string_pretty(&document).unwrap();
        assert_eq!(
            declarative::read(&json).unwrap(),
            document,
            "JSON is accepted too"
        );
    })
    .await;
}

#[tokio::test]
async fn secrets_are_kept_when_a_later_file_leaves_them_out_and_never_shown() {
    let app = TestApp::start().await;
    let folder = documents::folder();
    let report = apply(&app.app, documents::CONTRACT, &folder.0).await.unwrap();
    let without = documents::CONTRACT
        .replace(", client_secret: \"upstream-secret-0123456789\"", "")
        .replace(", client_secret: \"app-secret-0123456789abcdef\"", "");
    assert_ne!(without, documents::CONTRACT);
    assert!(apply(&app.app, &without, &folder.0).await.unwrap().is_empty());
    let other = documents::CONTRACT
        .replace("upstream-secret-0123456789", "upstream-secret-9876543210")
        .replace("app-secret-0123456789abcdef", "app-secret-fedcba9876543210");
    let changed = apply(&app.app, &other, &folder.0).await.unwrap();
    let text = changed.to_string();
    assert!(
        text.contains("oidc_client_secret: (secret) → (another secret)"),
        "{text}"
    );
    assert!(
        text.contains("client_secret: (secret) → (another secret)"),
        "{text}"
    );
    for shown in [
        report.to_string(),
        text,
        format!("{:?}", declarative::read(&other).unwrap()),
    ] {
        for secret in documents::SECRETS
            .iter()
            .chain(&["upstream-secret-9876543210", "app-secret-fedcba9876543210"])
        {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
}

#[tokio::test]
async fn our_saml_keys_are_made_once() {
    let app = TestApp::start().await;
    let folder = documents::folder();
    let keys = |app: &TestApp| {
        let store = app.app.store.clone();
        async move {
            let id = ConnectionId::new("home-okta");
            let record: Result<_, StoreError> = store
                .read(|reader| Box::pin(async move { reader.connection(&id).await }))
                .await;
            let record = record.unwrap().unwrap();
            (
                record.protocol_config["sp_signing_certificate"].clone(),
                record.secrets,
            )
        }
    };
    apply(&app.app, documents::CONTRACT, &folder.0).await.unwrap();
    let first = keys(&app).await;
    let changed = documents::CONTRACT.replace("provisioning: jit", "provisioning: manual");
    assert!(!apply(&app.app, &changed, &folder.0).await.unwrap().is_empty());
    assert_eq!(first, keys(&app).await);
    let key =
        provost_saml::key::SigningKey::from_pkcs8_der(&base64_of(first.1.get("saml_signing_key").unwrap()))
            .unwrap();
    let certificate = provost_saml::key::Certificate::from_base64(first.0.as_str().unwrap()).unwrap();
    assert!(key.matches(&certificate));
    assert!(certificate.not_after() > app.app.world.now());
}

fn base64_of(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

#[tokio::test]
async fn one_fault_keeps_everything_out() {
    on_each_engine(|app| async move {
        let folder = documents::folder();
        let broken = documents::CONTRACT.replace(
            "role: { expression: \"contains(groups, 'admin')",
            "role: { expression: \"contains(groups, 'admin'",
        );
        assert_ne!(broken, documents::CONTRACT);
        let text = problems(&app.app, &broken, &folder.0).await;
        assert!(
            text.contains("connections[home-okta].policy.role.expression"),
            "{text}"
        );
        assert!(text.contains("nothing was applied"), "{text}");
        let stored: Result<_, StoreError> = app
            .app
            .store
            .read(|reader| Box::pin(async move { reader.organizations(None, 10).await }))
            .await;
        assert!(stored.unwrap().is_empty());
    })
    .await;
}

/// A text of the contract's file, what replaces it, and what must be said then.
const FAULTS: &[(&str, &str, &str)] = &[
    (
        "id: home-lab\n",
        "id: \"home lab\"\n",
        "organizations[home lab].id",
    ),
    (
        "{ name: home-lab.example, verified: true }",
        "{ name: gmail.com, verified: true }",
        "public mail provider",
    ),
    (
        "{ name: home-lab.example, verified: true }",
        "{ name: home-lab.example }",
        "connections[home-okta].domains[home-lab.example]: is not a verified domain",
    ),
    ("id: home-okta", "id: home_okta", "connections[home_okta].id"),
    (
        "organization: home-lab\n    protocol: saml",
        "organization: elsewhere\n    protocol: saml",
        "names organization elsewhere, which does not exist",
    ),
    (
        "metadata_file: idp.xml",
        "metadata_file: nowhere.xml",
        "connections[home-okta].saml.metadata_file",
    ),
    (
        "metadata_file: idp.xml",
        "metadata_file: idp.xml, sso_url: \"https://idp.example/sso\"",
        "says the identity provider twice",
    ),
    (
        "metadata_file: idp.xml",
        "clock_skew_seconds: 60",
        "needs metadata_file, metadata_url",
    ),
    (
        "metadata_file: idp.xml",
        "metadata_file: idp.xml, clock_skew_seconds: 301",
        "clock_skew_seconds: is larger than 300",
    ),
    (
        "metadata_file: idp.xml",
        "metadata_file: idp.xml, attributes: { mail: mail }",
        "saml.attributes.mail: is not one of",
    ),
    (
        "issuer: \"https://login.example\"",
        "issuer: \"http://login.example\"",
        "connections[home-google].oidc.issuer: must be an https address",
    ),
    (
        "scopes: [openid, profile, email, groups]",
        "scopes: [profile]",
        "oidc.scopes: must hold openid",
    ),
    (
        "scopes: [openid, profile, email, groups]",
        "scopes: [openid], id_token_algorithms: [HS256]",
        "HS256 is not accepted",
    ),
    (
        "scopes: [openid, profile, email, groups]",
        "scopes: [openid], email_path: \"a[\"",
        "oidc.email_path",
    ),
    (
        ", client_secret: \"upstream-secret-0123456789\"",
        "",
        "oidc.client_secret: is needed",
    ),
    (
        "redirect_uris: [\"http://127.0.0.1:8090/callback\"]",
        "redirect_uris: [\"http://app.example/callback\"]",
        "applications[sample-app]",
    ),
    (
        "organizations: all",
        "organizations: [elsewhere]",
        "applications[sample-app].organizations",
    ),
    (
        "email: olga@home-lab.example",
        "email: \"olga at home\"",
        "users[olga at home].email",
    ),
    (
        "roles: [owner]",
        "roles: [ownr]",
        "there is no role `ownr`; did you mean `owner`?",
    ),
    (
        "connection: home-okta\n",
        "connection: nowhere\n",
        "names connection nowhere, which does not exist",
    ),
    (
        "token: \"scim-token-0123456789abcdef\"",
        "token: short",
        "token needs at least 24 characters",
    ),
];

#[tokio::test]
async fn every_fault_is_named_with_its_place() {
    let app = TestApp::start().await;
    let folder = documents::folder();
    for (from, to, wanted) in FAULTS {
        let text = documents::CONTRACT.replacen(from, to, 1);
        assert_ne!(text, documents::CONTRACT, "{from}");
        let found = problems(&app.app, &text, &folder.0).await;
        assert!(found.contains(*wanted), "{to}: {found}");
    }
}

#[test]
fn mistyped_names_are_answered_with_position_and_suggestion() {
    for (from, to, line, wanted) in [
        (
            "provisioning: jit",
            "provisionning: jit",
            true,
            "did you mean `provisioning`?",
        ),
        (
            "provisioning: jit",
            "provisioning: jjt",
            true,
            "did you mean `jit`?",
        ),
        ("    policy:", "    polcy:", true, "did you mean `policy`?"),
        (
            "organizations:",
            "organisations:",
            true,
            "did you mean `organizations`?",
        ),
        ("seats: 50", "seats: many", true, "seats"),
    ] {
        let text = documents::CONTRACT.replacen(from, to, 1);
        assert_ne!(text, documents::CONTRACT);
        let error = declarative::read(&text).expect_err(to).to_string();
        assert!(error.contains(wanted), "{to}: {error}");
        assert_eq!(error.starts_with("line "), line, "{error}");
    }
    let error = declarative::read("organizations: [\n")
        .expect_err("broken")
        .to_string();
    assert!(error.starts_with("line "), "{error}");
    assert!(
        declarative::read("# nothing\n\n")
            .unwrap_err()
            .to_string()
            .contains("empty")
    );
}

#[tokio::test]
async fn a_domain_belongs_to_one_organization() {
    let app = TestApp::start().await;
    let folder = Folder::new("declarative");
    let both = "organizations:\n  - { id: a, domains: [{ name: one.example, verified: true }] }\n  - { id: b, domains: [{ name: ONE.example, verified: true }] }\n";
    let text = problems(&app.app, both, &folder.0).await;
    assert!(
        text.contains("organizations[b].domains[one.example]: is verified by organization a"),
        "{text}"
    );
}

#[tokio::test]
async fn nothing_goes_unless_prune_says_so_and_never_what_is_in_use() {
    on_each_engine(|app| async move {
        let folder = documents::folder();
        apply(&app.app, documents::CONTRACT, &folder.0).await.unwrap();
        let little = "organizations: [{ id: home-lab, name: Home Lab, domains: [{ name: home-lab.example, verified: true }] }]\n";
        assert!(apply(&app.app, little, &folder.0).await.unwrap().is_empty());
        let text = problems(&app.app, &format!("prune: true\n{little}"), &folder.0).await;
        assert!(text.contains("held by members") || text.contains("people belong to it"), "{text}");
        let without_google = documents::without_connection(documents::CONTRACT, "home-google");
        let report = apply(&app.app, &format!("prune: true\n{without_google}"), &folder.0).await.unwrap();
        assert!(report.to_string().contains("- connection home-google"), "{report}");
        assert!(report.to_string().contains("0 to create, 0 to change, 1 to delete"), "{report}");
    })
    .await;
}

#[tokio::test]
async fn metadata_by_address_is_fetched_kept_when_unreachable_and_guarded() {
    let app = TestApp::start().await;
    let folder = Folder::new("declarative");
    let server = documents::serve(idp_metadata("https://idp.example/saml")).await;
    let text = documents::CONTRACT.replace(
        "metadata_file: idp.xml",
        &format!("metadata_url: \"{}\"", server.url),
    );
    apply(&app.app, &text, &folder.0).await.unwrap();
    assert!(apply(&app.app, &text, &folder.0).await.unwrap().is_empty());
    server.stop();
    let report = apply(&app.app, &text, &folder.0).await.unwrap();
    assert!(
        report.is_empty() && report.to_string().contains("the metadata read before stays"),
        "{report}"
    );

    let guarded = TestApp::start_with(&[("allow_private_addresses", "false")]).await;
    let server = documents::serve(idp_metadata("https://idp.example/saml")).await;
    let text = documents::CONTRACT.replace(
        "metadata_file: idp.xml",
        &format!("metadata_url: \"{}\"", server.url),
    );
    let found = problems(&guarded.app, &text, &folder.0).await;
    assert!(
        found.contains("connections[home-okta].saml.metadata_url"),
        "{found}"
    );
    assert_eq!(server.hits(), 0);
}

#[tokio::test]
async fn warnings_name_roles_that_no_rule_can_give() {
    let app = TestApp::start().await;
    let folder = documents::folder();
    let text = documents::CONTRACT.replace(
        "role: { expression: \"contains(groups, 'admin') && 'Admin' || 'Member'\" }",
        "role: { fixed: member }",
    );
    assert_ne!(text, documents::CONTRACT);
    let report = apply(&app.app, &text, &folder.0).await.unwrap().to_string();
    assert!(
        report.contains("no role with the exact name `member`; did you mean `Member`?"),
        "{report}"
    );
    let text = text.replace("fixed: member", "fixed: Owner");
    let report = apply(&app.app, &text, &folder.0).await.unwrap().to_string();
    assert!(report.contains("`Owner` is an owner role"), "{report}");
}

/// An organization with a group kept by hand. `GROUPS` is put into the place of its groups.
const GROUPED: &str = "organizations:
  - id: acme
    name: Acme
    roles: [{ id: owner, name: Owner }, { id: admin, name: Admin }, { id: member, name: Member, default: true }]
    workspaces: [{ id: main, default: true }, { id: lab }]
GROUPS
users:
  - { email: olga@acme.example, memberships: [{ organization: acme, roles: [owner] }] }
  - { email: mia@acme.example, memberships: [{ organization: acme, roles: [member] }] }
  - { email: joe@acme.example, memberships: [{ organization: acme, roles: [member] }] }
  - { email: out@acme.example }
";

/// Who is in the group of `GROUPED` and which roles she holds, by address.
async fn grouped(app: &App) -> Vec<(String, Vec<String>)> {
    let found: Result<_, StoreError> = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let organization = OrganizationId::new("acme");
                let Some(group) = reader.local_groups_of(&organization).await?.into_iter().next() else {
                    return Ok(Vec::new());
                };
                let ids = reader.local_group_members(&group.id, None, 10).await?;
                let people = reader.account_facts(&ids).await?;
                let mut people: Vec<_> = people
                    .into_iter()
                    .map(|facts| {
                        let email = facts.account.email.unwrap().to_string();
                        let roles = facts.memberships[0].roles.iter().map(|role| role.id.to_string());
                        (email, roles.collect())
                    })
                    .collect();
                people.sort();
                Ok(people)
            })
        })
        .await;
    found.unwrap()
}

#[tokio::test]
async fn groups_kept_by_hand_are_made_filled_changed_exported_and_pruned_by_the_file() {
    on_each_engine(|app| async move {
        let app = &app.app;
        let folder = documents::folder();
        let with = |groups: &str| GROUPED.replace("GROUPS", groups);
        let first = with(
            "    groups: [{ name: Builders, description: who build, roles: [Admin], workspaces: [lab], members: [{ email: mia@acme.example }] }]",
        );
        let dry = declarative::apply(app, declarative::read(&first).unwrap(), &folder.0, Mode::DryRun).await.unwrap();
        assert!(dry.to_string().contains("+ group Builders of acme"), "{dry}");
        assert_eq!(grouped(app).await, []);
        let report = apply(app, &first, &folder.0).await.unwrap().to_string();
        for line in ["+ group Builders of acme", "description: who build", "roles: [\"admin\"]", "member mia@acme.example comes in"] {
            assert!(report.contains(line), "{line}: {report}");
        }
        let mia = ("mia@acme.example".to_owned(), vec!["admin".to_owned(), "member".to_owned()]);
        assert_eq!(grouped(app).await, std::slice::from_ref(&mia));
        assert!(apply(app, &first, &folder.0).await.unwrap().is_empty(), "applying twice changes nothing");

        // Whoever the file does not name stays, and so does what it says nothing of.
        let second = with("    groups: [{ name: builders, roles: [admin], workspaces: [lab], members: [{ email: joe@acme.example }] }]");
        let report = apply(app, &second, &folder.0).await.unwrap().to_string();
        assert!(report.contains("name: Builders → builders") && report.contains("description: who build → (none)"), "{report}");
        assert!(report.contains("member joe@acme.example comes in") && !report.contains("goes"), "{report}");
        assert_eq!(grouped(app).await.len(), 2);
        assert!(apply(app, &with(""), &folder.0).await.unwrap().is_empty());
        assert!(apply(app, &format!("prune: true\n{}", with("")), &folder.0).await.unwrap().is_empty(), "no word of groups");

        // What is exported applies as no change, with `prune` too.
        let text = declarative::render(&declarative::export(app).await.unwrap()).unwrap();
        assert!(text.contains("builders") && text.contains("email: joe@acme.example"), "{text}");
        for text in [text.clone(), format!("prune: true\n{text}")] {
            let report = apply(app, &text, Path::new("/nowhere")).await.unwrap();
            assert!(report.is_empty(), "{report}\n{text}");
        }
        let acme = declarative::export_organization(app, OrganizationId::new("acme")).await.unwrap().unwrap();
        let groups = acme.organizations[0].groups.as_ref().unwrap();
        assert!(groups[0].name == "builders" && groups[0].members.is_none(), "people are no part of it: {groups:?}");

        // With `prune`, whom the file does not name is taken out, and a group goes once it is empty.
        let pruned = |groups: &str| format!("prune: true\n{}", with(groups));
        let text = problems(app, &pruned("    groups: []"), &folder.0).await;
        assert!(text.contains("groups[builders]") && text.contains("still has members"), "{text}");
        let report = apply(app, &pruned("    groups: [{ name: builders, roles: [admin], workspaces: [lab], members: [{ email: mia@acme.example }] }]"), &folder.0).await.unwrap();
        assert!(report.to_string().contains("member joe@acme.example goes"), "{report}");
        assert_eq!(grouped(app).await, [mia]);
        let report = apply(app, &pruned("    groups: [{ name: builders, roles: [admin], workspaces: [lab], members: [] }]"), &folder.0).await.unwrap();
        assert!(report.to_string().contains("member mia@acme.example goes"), "{report}");
        let report = apply(app, &pruned("    groups: []"), &folder.0).await.unwrap();
        assert!(report.to_string().contains("- group builders of acme"), "{report}");
    })
    .await;
}

#[tokio::test]
async fn every_fault_of_a_group_is_named_with_its_place() {
    on_each_engine(|app| async move {
        let folder = documents::folder();
        for (groups, expected) in [
            ("[{ name: A }, { name: a }]", "groups[a]: appears twice"),
            (
                "[{ name: A, members: [{ email: nonsense }] }]",
                "groups[A].members[nonsense]",
            ),
            (
                "[{ name: A, members: [{ email: mia@acme.example }, { email: MIA@acme.example }] }]",
                "appears twice",
            ),
            ("[{ name: A, roles: [Admn] }]", "groups[A].roles"),
            ("[{ name: A, workspaces: [nowhere] }]", "groups[A]"),
            ("[{ name: \" \" }]", "name_missing"),
            (
                "[{ name: A, members: [{ email: nobody@acme.example }] }]",
                "there is nobody with this address who signs in with a password",
            ),
            (
                "[{ name: A, members: [{ email: out@acme.example }] }]",
                "is no member of acme",
            ),
        ] {
            let file = GROUPED.replace("GROUPS", &format!("    groups: {groups}"));
            let text = problems(&app.app, &file, &folder.0).await;
            assert!(text.contains(expected), "{groups}: {text}");
        }
    })
    .await;
}
