//! Pages of people: names are text, searching, adding, many at once, importing, languages.

use axum::http::{Method, StatusCode, header};
use serde_json::json;

use super::{PAGES, act, id_of, make_operator, sign_in, world};
use crate::api::Client;
use crate::app::{TestApp, on_each_engine};
use crate::directory::accounts;

#[tokio::test]
async fn what_people_are_called_is_text_and_nothing_else() {
    let app = TestApp::start().await;
    world(&app).await;
    let mut olga = sign_in(&app, "olga@acme.example").await;
    let page = olga.get("/console/acme/users?q=%3Cscript%3E").await;
    assert!(
        page.body.contains("&#60;script&#62;") || page.body.contains("&lt;script&gt;"),
        "{}",
        page.body
    );
    assert!(!page.body.contains("<script>"), "{}", page.body);
    let policy = page.header(header::CONTENT_SECURITY_POLICY.as_str()).unwrap();
    assert!(
        !policy.contains("unsafe") && policy.contains("script-src 'self'"),
        "{policy}"
    );
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    // No inline script, style or handler anywhere.
    for path in PAGES {
        let body = olga.get(&format!("/console/acme{path}")).await.body;
        for inline in [" style=", " onclick", " onload", "<style", "javascript:"] {
            assert!(!body.contains(inline), "{path}: {inline}");
        }
    }
}

#[tokio::test]
async fn r189_activity_tells_what_became_of_people_and_its_file_holds_no_formulas() {
    on_each_engine(|app| async move {
        world(&app).await;
        let id = id_of(&app, "mia@acme.example").await;
        let mut operator = Client::new(&app, None).await;
        let formula = "=HYPERLINK(\"https://evil.example\",\"Mia\")";
        let path = format!("/api/v1/accounts/{id}");
        let page = operator
            .send_json(Method::PATCH, &path, &json!({ "display_name": formula }))
            .await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let mut olga = sign_in(&app, "olga@acme.example").await;
        let changes = olga.get("/console/acme/activity?show=changes").await.body;
        for told in ["Profile changed", "Account created", "Joined the organization"] {
            assert!(changes.contains(told), "{told}: {changes}");
        }
        let file = olga.get("/console/acme/activity/file?show=changes").await.body;
        let mut reader = csv::Reader::from_reader(file.as_bytes());
        let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let mia = records
            .iter()
            .find(|record| &record[1] == "Profile changed")
            .unwrap();
        assert_eq!(mia[2], format!("'{formula}"));
        assert!(
            records
                .iter()
                .flatten()
                .all(|cell| !cell.starts_with(['=', '+', '-', '@'])),
            "{file}"
        );
        // The other customer hears of its own people only.
        let globex = operator.get("/api/v1/audit?organization=globex").await.body;
        assert!(
            !globex.contains("Mia") && !globex.contains(id.as_str()),
            "{globex}"
        );
    })
    .await;
}

#[tokio::test]
async fn the_search_finds_beginnings_of_addresses_and_names_and_survives_anything() {
    on_each_engine(|app| async move {
        world(&app).await;
        let mut olga = sign_in(&app, "olga@acme.example").await;
        for (query, found, not) in [
            ("q=OLGA", "Olga Berg", "Mia"),
            ("q=ber", "Olga Berg", "Mia"),
            ("q=mia", "Mia", "Olga Berg"),
            ("q=mia%40acme", "Mia", "Olga Berg"),
            ("role=admin", "Adam", "Mia"),
        ] {
            let body = olga.get(&format!("/console/acme/users?{query}")).await.body;
            let list = body.split("<tbody>").nth(1).unwrap_or_default();
            assert!(list.contains(found) && !list.contains(not), "{query}: {list}");
        }
        for hostile in [
            "q=%00",
            "q=%25",
            "q=_",
            "q=%27%20OR%201%3D1",
            "before=%00",
            "status=%00",
            "via=%00x",
            "role=%00",
            "q=%F4%8F%BF%BF",
        ] {
            let page = olga.get(&format!("/console/acme/users?{hostile}")).await;
            assert!(
                page.status == StatusCode::OK || page.status == StatusCode::BAD_REQUEST,
                "{hostile}: {page:?}"
            );
            let page = olga
                .get(&format!(
                    "/console/acme/activity?after={hostile}&account=%00&connection=%00"
                ))
                .await;
            assert!(
                page.status == StatusCode::OK || page.status == StatusCode::BAD_REQUEST,
                "{hostile}: {page:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn r86_r104_what_an_address_would_become_is_told_before_anything_happens() {
    on_each_engine(|app| async move {
        world(&app).await;
        let mut adam = sign_in(&app, "adam@acme.example").await;
        let fields = [
            (
                "addresses",
                "new@acme.example, stranger@elsewhere.example nonsense",
            ),
            ("sso", "1"),
            ("connection", "acme-idp"),
            ("kind", "reader"),
            ("skip", "1"),
        ];
        let page = act(&mut adam, "/console/acme/users/add", &fields).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.body.contains("This is no e-mail address."), "{}", page.body);
        assert!(page.body.contains("no verified domain"), "{}", page.body);
        assert!(accounts(&app.app, "new@acme.example").await.is_empty());
        let with = |last| [fields.as_slice(), &[last]].concat();
        let page = act(&mut adam, "/console/acme/users/add", &with(("do", "add"))).await;
        assert!(page.body.contains("1 added, 2 not."), "{}", page.body);
        assert_eq!(accounts(&app.app, "new@acme.example").await.len(), 1);
        // The same again: the person is an SSO reader now, and the button is off.
        let page = act(&mut adam, "/console/acme/users/add", &with(("do", "check"))).await;
        assert!(page.body.contains("already is an SSO reader"), "{}", page.body);
        assert!(
            page.body
                .contains("data-guarded aria-describedby=\"checked\" disabled"),
            "{}",
            page.body
        );
        let page = act(&mut adam, "/console/acme/users/add", &with(("do", "add"))).await;
        assert!(page.body.contains("0 added, 3 not."), "{}", page.body);
        // An admin makes no owner.
        let owner = [
            ("addresses", "boss@acme.example"),
            ("role", "owner"),
            ("skip", "1"),
            ("do", "add"),
        ];
        let page = act(&mut adam, "/console/acme/users/add", &owner).await;
        assert!(page.body.contains("0 added, 1 not."), "{}", page.body);
    })
    .await;
}

#[tokio::test]
async fn many_at_once_are_judged_one_by_one_and_only_those_who_fit() {
    on_each_engine(|app| async move {
        world(&app).await;
        let mut adam = sign_in(&app, "adam@acme.example").await;
        let fields = [
            ("do", "suspend"),
            ("everybody", "1"),
            ("back", "/console/acme/users?kind=user"),
        ];
        let page = act(&mut adam, "/console/acme/users/bulk", &fields).await;
        assert!(page.body.contains("Nothing has happened yet"), "{}", page.body);
        let sure = [fields.as_slice(), &[("sure", "1")]].concat();
        let page = act(&mut adam, "/console/acme/users/bulk", &sure).await;
        let path = page.location().unwrap();
        let id = path.rsplit('/').next().unwrap().to_owned();
        provost::flow::console::bulk::work(&app.app, &serde_json::json!({ "run": id }))
            .await
            .unwrap();
        let status = |email| {
            let app = app.app.clone();
            async move { accounts(&app, email).await.remove(0).status }
        };
        assert_eq!(
            status("mia@acme.example").await,
            provost_kernel::directory::Status::Suspended
        );
        // An owner is beyond an admin, and an account that belongs elsewhere too is not this organization's alone.
        assert_eq!(
            status("olga@acme.example").await,
            provost_kernel::directory::Status::Active
        );
        assert_eq!(
            status("both@acme.example").await,
            provost_kernel::directory::Status::Active
        );
        let page = adam.get(&path).await;
        assert!(page.body.contains("/console/acme/traces/"), "{}", page.body);
        // Another organization knows nothing of the run.
        make_operator(&app, "both@acme.example").await;
        let mut both = sign_in(&app, "both@acme.example").await;
        let elsewhere = both.get(&format!("/console/globex/users/runs/{id}")).await;
        assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn an_import_of_an_admin_reaches_no_other_organization() {
    on_each_engine(|app| async move {
        world(&app).await;
        let adam = id_of(&app, "adam@acme.example").await;
        let caller = provost::flow::api_keys::Caller {
            person: Some(provost_kernel::provision::Actor::Admin {
                account: adam,
                organization: provost_kernel::id::OrganizationId::new("acme"),
            }),
            organization: Some(provost_kernel::id::OrganizationId::new("acme")),
            ..provost::flow::api_keys::Caller::operator()
        };
        let text = "email,organization,roles\nin@globex.example,globex,owner\nboss@acme.example,acme,owner\nfia@acme.example,,member\n";
        let done = provost::flow::imports::start(
            &app.app,
            &caller,
            text.to_owned(),
            provost::flow::imports::ImportOptions {
                organization: Some("acme".to_owned()),
                ..Default::default()
            },
        )
        .await
        .unwrap();
        assert_eq!((done.progress.created, done.progress.failed), (1, 2), "{:?}", done.progress);
        assert!(accounts(&app.app, "in@globex.example").await.is_empty());
        assert!(accounts(&app.app, "boss@acme.example").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn pages_for_people_speak_the_language_of_the_browser() {
    let app = TestApp::start().await;
    let mut browser = app.browser();
    browser.headers.insert("accept-language", "de".parse().unwrap());
    let page = browser.get("/login").await.body;
    assert!(
        page.contains("lang=\"de\"") && page.contains("Anmelden"),
        "{page}"
    );
    let missing = browser.get("/no-such-page").await;
    assert!(missing.body.contains("Nicht gefunden"), "{}", missing.body);
}
