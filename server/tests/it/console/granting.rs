//! Access changed by hand, for one person; and what is done to people by the bar of the list.

use axum::http::StatusCode;
use jiff::SignedDuration;
use provost::app::App;
use provost_kernel::directory::{Membership, Source, Status};
use provost_kernel::facts::AccountFacts;
use provost_kernel::id::AccountId;

use serde_json::json;

use super::{act, id_of, make_operator, sign_in, world};
use crate::app::{Browser, Page, TestApp, on_each_engine};
use crate::directory::accounts;
use crate::mail::with_mail;
use crate::scim::lab;

async fn facts(app: &App, account: &AccountId) -> AccountFacts {
    let ids = [account.clone()];
    let found = app
        .store
        .read(|reader| Box::pin(async move { reader.account_facts(&ids).await }))
        .await;
    found.unwrap().remove(0)
}

async fn held(app: &App, account: &AccountId) -> Membership {
    let mut memberships = facts(app, account).await.memberships.into_iter();
    memberships
        .find(|held| held.organization.as_str() == "acme")
        .unwrap()
}

/// What the form sends where nothing is changed but the roles.
async fn with_roles(app: &App, account: &AccountId, roles: &[&'static str]) -> Vec<(&'static str, String)> {
    let held = held(app, account).await;
    let mut fields: Vec<_> = roles.iter().map(|role| ("role", (*role).to_owned())).collect();
    fields.extend(
        held.workspaces
            .iter()
            .map(|one| ("workspace", one.id.to_string())),
    );
    fields.extend(
        held.license
            .iter()
            .map(|one| ("license", one.license.to_string())),
    );
    fields
}

/// Sends the form.
async fn change(browser: &mut Browser, path: &str, fields: &[(&'static str, String)]) -> Page {
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    act(browser, path, &fields).await
}

#[tokio::test]
async fn r50_roles_workspaces_and_license_are_changed_by_hand_and_what_is_not_touched_stays() {
    on_each_engine(|app| async move {
        world(&app).await;
        let mia = id_of(&app, "mia@acme.example").await;
        let before = held(&app.app, &mia).await;
        let mut adam = sign_in(&app, "adam@acme.example").await;
        let person = format!("/console/acme/users/{mia}");
        let shown = adam.get(&person).await;
        assert!(shown.body.contains(&format!("{person}/access")), "{}", shown.body);
        let page = adam.get(&format!("{person}/access")).await;
        let form = page.form("/access");
        let version = form.fields["version"].clone();
        let all = [
            ("version", version.as_str()),
            ("role", "member"),
            ("role", "admin"),
            ("workspace", "main"),
            ("license", "standard"),
        ];
        let saved = act(&mut adam, &format!("{person}/access"), &all).await;
        assert_eq!(
            saved.location(),
            Some(format!("{person}?done=access")),
            "{}",
            saved.body
        );
        let now = held(&app.app, &mia).await;
        let role =
            |held: &Membership, id: &str| held.roles.iter().find(|role| role.id.as_str() == id).cloned();
        assert!(role(&now, "admin").is_some_and(|role| role.pinned && role.source == Source::Manual));
        assert_eq!(role(&now, "member"), role(&before, "member"));
        assert_eq!(
            now.license.map(|held| held.license.to_string()).as_deref(),
            Some("standard")
        );

        // Whoever looked before cannot take back what she never saw.
        let late = act(
            &mut adam,
            &format!("{person}/access"),
            &[("version", &version), ("role", "member")],
        )
        .await;
        assert_eq!(late.status, StatusCode::CONFLICT, "{}", late.body);
        assert!(late.body.contains("Changed in between"), "{}", late.body);
        assert!(role(&held(&app.app, &mia).await, "admin").is_some());

        // The form shows what is there now; sent as it is, it changes nothing, and without ticks it takes.
        let form = adam.get(&format!("{person}/access")).await.form("/access");
        let version = form.fields["version"].clone();
        let less = [("version", version.as_str()), ("role", "member")];
        let saved = act(&mut adam, &format!("{person}/access"), &less).await;
        assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
        let now = held(&app.app, &mia).await;
        assert!(role(&now, "admin").is_none() && now.license.is_none() && now.workspaces.is_empty());
    })
    .await;
}

#[tokio::test]
async fn r50_an_admin_neither_gives_nor_takes_what_only_owners_may_nor_what_a_group_gives() {
    on_each_engine(|app| async move {
        world(&app).await;
        let (mia, olga) = (
            id_of(&app, "mia@acme.example").await,
            id_of(&app, "olga@acme.example").await,
        );
        let mut adam = sign_in(&app, "adam@acme.example").await;
        let path = |id: &AccountId| format!("/console/acme/users/{id}/access");
        // What the page does not offer is not taken from a form that was made by hand either.
        let more = with_roles(&app.app, &mia, &["owner", "member"]).await;
        let same = change(&mut adam, &path(&mia), &more).await;
        assert_eq!(
            same.location(),
            Some(format!("/console/acme/users/{mia}")),
            "{}",
            same.body
        );
        let less = with_roles(&app.app, &olga, &[]).await;
        let same = change(&mut adam, &path(&olga), &less).await;
        assert_eq!(same.status, StatusCode::SEE_OTHER, "{}", same.body);
        let is_owner = |held: Membership| held.roles.iter().any(|role| role.id.as_str() == "owner");
        assert!(is_owner(held(&app.app, &olga).await) && !is_owner(held(&app.app, &mia).await));
        let page = adam.get(&path(&olga)).await;
        assert!(
            page.body.contains("value=\"owner\" checked disabled"),
            "{}",
            page.body
        );

        let made = [("name", "Builders"), ("role", "admin")];
        let group = act(&mut adam, "/console/acme/groups/new", &made)
            .await
            .location()
            .unwrap();
        let group = group.split('?').next().unwrap().to_owned();
        let joined = act(&mut adam, &group, &[("do", "add"), ("account", mia.as_str())]).await;
        assert_eq!(joined.status, StatusCode::SEE_OTHER, "{}", joined.body);
        let page = adam.get(&path(&mia)).await;
        assert!(
            page.body.contains("value=\"admin\" checked disabled")
                && page.body.contains("from the group Builders"),
            "{}",
            page.body
        );
        let less = with_roles(&app.app, &mia, &["member"]).await;
        let same = change(&mut adam, &path(&mia), &less).await;
        assert_eq!(
            same.location(),
            Some(format!("/console/acme/users/{mia}")),
            "{}",
            same.body
        );

        // The last owner keeps what makes her one, and the page says why.
        let mut owner = sign_in(&app, "olga@acme.example").await;
        let lower = with_roles(&app.app, &olga, &["member"]).await;
        let refused = change(&mut owner, &path(&olga), &lower).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.body);
        assert!(
            refused.body.contains("The last owner cannot lose this"),
            "{}",
            refused.body
        );
    })
    .await;
}

#[tokio::test]
async fn r50_access_is_changed_with_a_fresh_proof_and_by_nobody_else() {
    let app = TestApp::start().await;
    world(&app).await;
    let mia = id_of(&app, "mia@acme.example").await;
    let path = format!("/console/acme/users/{mia}/access");
    let mut herself = sign_in(&app, "mia@acme.example").await;
    assert_eq!(herself.get(&path).await.status, StatusCode::FORBIDDEN);
    let tried = act(&mut herself, &path, &[("role", "admin")]).await;
    assert_eq!(tried.status, StatusCode::FORBIDDEN);
    let mut adam = sign_in(&app, "adam@acme.example").await;
    app.app.world.advance(SignedDuration::from_mins(16));
    let old = act(&mut adam, &path, &[("role", "admin")]).await;
    assert_eq!(old.status, StatusCode::FORBIDDEN, "{}", old.body);
    assert!(old.body.contains("/account/confirm"), "{}", old.body);
    assert_eq!(held(&app.app, &mia).await.roles.len(), 1);
}

#[tokio::test]
async fn page_map_5_people_are_deleted_by_the_bar_after_a_list_has_asked() {
    on_each_engine(|app| async move {
        world(&app).await;
        let mia = id_of(&app, "mia@acme.example").await;
        let mut adam = sign_in(&app, "adam@acme.example").await;
        let fields = [
            ("do", "delete"),
            ("account", mia.as_str()),
            ("back", "/console/acme/users"),
        ];
        let page = act(&mut adam, "/console/acme/users/bulk", &fields).await;
        assert!(page.body.contains("Nothing has happened yet"), "{}", page.body);
        assert_eq!(facts(&app.app, &mia).await.account.status, Status::Active);
        let sure = [fields.as_slice(), &[("sure", "1")]].concat();
        let page = act(&mut adam, "/console/acme/users/bulk", &sure).await;
        assert!(page.body.contains("1 done, 0 refused."), "{}", page.body);
        assert_eq!(facts(&app.app, &mia).await.account.status, Status::Deleted);
    })
    .await;
}

#[tokio::test]
async fn page_map_5_people_who_have_not_come_are_invited_again_by_the_bar_and_on_their_page() {
    with_mail(|app, mailbox| async move {
        world(&app).await;
        let mut adam = sign_in(&app, "adam@acme.example").await;
        let added = act(
            &mut adam,
            "/console/acme/users/add",
            &[
                ("addresses", "nina@acme.example"),
                ("role", "member"),
                ("do", "add"),
            ],
        )
        .await;
        assert!(
            added.status.is_success() || added.status.is_redirection(),
            "{}",
            added.body
        );
        mailbox.wait(&app, "nina@acme.example", 1).await;
        let nina = id_of(&app, "nina@acme.example").await;
        let mia = id_of(&app, "mia@acme.example").await;
        let fields = [
            ("do", "invite"),
            ("account", nina.as_str()),
            ("account", mia.as_str()),
            ("back", "/console/acme/users"),
        ];
        let page = act(&mut adam, "/console/acme/users/bulk", &fields).await;
        // Who is in already is not invited, and the list says why.
        assert!(page.body.contains("1 done, 1 refused."), "{}", page.body);
        assert!(
            page.body.contains("Not possible from the present state"),
            "{}",
            page.body
        );
        mailbox.wait(&app, "nina@acme.example", 2).await;
        let person = format!("/console/acme/users/{nina}");
        assert!(adam.get(&person).await.body.contains("Send invitation"));
        let sent = act(&mut adam, &format!("{person}/invite"), &[]).await;
        assert_eq!(
            sent.location(),
            Some(format!("{person}?done=invite")),
            "{}",
            sent.body
        );
        mailbox.wait(&app, "nina@acme.example", 3).await;
        assert!(mailbox.of(&app, "mia@acme.example").await.is_empty());
        assert_eq!(accounts(&app.app, "nina@acme.example").await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn r163_what_a_directory_keeps_is_overridden_for_a_while_in_the_console_and_returns() {
    on_each_engine(|app| async move {
        world(&app).await;
        let directory = lab::Directory::of(&app, "acme-idp").await;
        let mut dana = lab::person("dana");
        dana["userName"] = json!("dana@acme.example");
        dana["emails"] = json!([{ "value": "dana@acme.example", "primary": true }]);
        directory.post("/Users", dana).await.expect(201);
        let id = id_of(&app, "dana@acme.example").await;
        let mut adam = sign_in(&app, "adam@acme.example").await;
        let here = format!("/console/acme/users/{id}/overrides");
        let person = adam.get(&format!("/console/acme/users/{id}")).await;
        assert!(person.body.contains(&here), "{}", person.body);
        assert!(adam.get(&here).await.body.contains("Given name (dana)"));
        let wanted = [("field", "given_name"), ("value", "Dana Maria"), ("days", "3")];
        let saved = act(&mut adam, &here, &wanted).await;
        assert_eq!(
            saved.location(),
            Some(format!("{here}?done=saved")),
            "{}",
            saved.body
        );
        let page = adam.get(&here).await.body;
        assert!(
            page.contains("Dana Maria") && page.contains("then dana"),
            "{page}"
        );
        let kept = facts(&app.app, &id).await.account.keeping;
        let days = kept.overrides[0].until.duration_since(app.app.world.now());
        assert!((71..=72).contains(&days.as_hours()), "{days:?}");
        // What cannot be is said at the form, and what was typed stays there.
        let wrong = [("field", "email"), ("value", "no address"), ("days", "1")];
        let refused = act(&mut adam, &here, &wrong).await;
        assert!(refused.status.is_client_error(), "{}", refused.body);
        assert!(refused.body.contains("value=\"no address\""), "{}", refused.body);
        let ended = act(&mut adam, &here, &[("end", "given_name")]).await;
        assert_eq!(ended.status, StatusCode::SEE_OTHER, "{}", ended.body);
        let account = facts(&app.app, &id).await.account;
        assert_eq!(account.given_name.as_deref(), Some("dana"));
        // Who is no directory's is not offered it, and another customer's people are out of sight.
        let mia = id_of(&app, "mia@acme.example").await;
        let page = adam.get(&format!("/console/acme/users/{mia}")).await.body;
        assert!(!page.contains("/overrides"), "{page}");
        make_operator(&app, "both@acme.example").await;
        let mut both = sign_in(&app, "both@acme.example").await;
        let elsewhere = both.get(&format!("/console/globex/users/{id}/overrides")).await;
        assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
    })
    .await;
}
