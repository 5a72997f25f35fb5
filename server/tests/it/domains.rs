//! Domains of organizations, with a DNS server on loopback: `/api/v1/organizations/{organization}/domains`.

use axum::http::{Method, StatusCode};
use hickory_proto::op::ResponseCode;
use jiff::SignedDuration;
use provost::flow::domains;
use provost_kernel::connection::Connection;
use serde_json::{Value, json};

use crate::api::{Client, OTHER, code, furnish};
use crate::app::{PostgresDatabase, TestApp};
use crate::directory::{self, ORGANIZATION};
use crate::dns::{Dns, Says};
use crate::saml_idp::{self, Person};

const NEW: &str = "acme.example";
const RECORD: &str = "_provost-challenge.acme.example";

/// Runs a test on each engine, each time with a DNS server of its own.
async fn on_each_engine<F>(test: impl Fn(TestApp, Dns) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let dns = Dns::start().await;
    let address = dns.address.to_string();
    let app = TestApp::start_with(&[("dns_resolver", address.as_str())]).await;
    test(app, dns).await;
    if let Some(database) = PostgresDatabase::create().await {
        let dns = Dns::start().await;
        let address = dns.address.to_string();
        let app = TestApp::start_on(&database, &[("dns_resolver", address.as_str())]).await;
        let outcome = tokio::spawn(test(app, dns)).await;
        database.drop_it().await;
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic.into_panic());
        }
    }
}

fn path(organization: &str, rest: &str) -> String {
    format!("/api/v1/organizations/{organization}/domains{rest}")
}

/// Claims a domain and returns the text to publish.
async fn claim(client: &mut Client, organization: &str, name: &str) -> String {
    let page = client
        .post(&path(organization, ""), &json!({ "name": name }))
        .await;
    assert_eq!(page.status, StatusCode::CREATED, "{}", page.body);
    page.json()["record"]["value"].as_str().unwrap().to_owned()
}

async fn check(client: &mut Client, organization: &str, name: &str) -> Value {
    let page = client
        .send(Method::POST, &path(organization, &format!("/{name}/check")))
        .await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    page.json()
}

async fn get(client: &mut Client, organization: &str, name: &str) -> Value {
    client.get(&path(organization, &format!("/{name}"))).await.json()
}

async fn served(app: &TestApp) -> Vec<String> {
    let found = app
        .app
        .store
        .read(|reader| Box::pin(async move { reader.connection(&"okta".into()).await }))
        .await;
    let Connection { domains, .. } = found.unwrap().unwrap().connection;
    domains
}

#[tokio::test]
async fn r110_a_txt_record_proves_a_claim() {
    on_each_engine(|app, dns| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let text = claim(&mut client, ORGANIZATION, " ACME.Example. ").await;
        assert!(
            text.starts_with("provost-verification=") && text.len() > 21 + 40,
            "{text}"
        );
        let again = claim(&mut client, ORGANIZATION, NEW).await;
        assert_eq!(again, text, "claiming twice changes nothing");
        let seen = check(&mut client, ORGANIZATION, NEW).await;
        assert_eq!(seen["state"], "pending");
        assert_eq!(seen["in_force"], false);
        assert_eq!(seen["problem"], "there is no such name");
        assert_eq!(dns.asked().last().unwrap(), RECORD);
        dns.publish(RECORD, &text);
        let seen = check(&mut client, ORGANIZATION, "Acme.EXAMPLE").await;
        assert_eq!(seen["state"], "verified", "{seen}");
        assert_eq!(seen["method"], "dns");
        assert_eq!(seen["in_force"], true);
        assert_eq!(seen["record"]["name"], RECORD);
        let list = client.get(&path(ORGANIZATION, "")).await.json();
        assert_eq!(list["items"].as_array().unwrap().len(), 2, "{list}");
        let events = Client::new(&app, None)
            .await
            .get("/api/v1/events?limit=200")
            .await
            .body;
        assert!(
            events.contains("domain.claimed") && events.contains("domain.verified"),
            "{events}"
        );
    })
    .await;
}

#[tokio::test]
async fn r110_whatever_else_dns_says_proves_nothing_and_breaks_nothing() {
    on_each_engine(|app, dns| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let text = claim(&mut client, ORGANIZATION, NEW).await;
        let other = claim(&mut client, ORGANIZATION, "other-name.example").await;
        let huge: Vec<Vec<String>> = (0..40)
            .map(|n| vec![format!("{n}"), "x".repeat(250), "y".repeat(250)])
            .collect();
        let refused = [
            Says::Code(ResponseCode::ServFail),
            Says::Code(ResponseCode::Refused),
            Says::Code(ResponseCode::NXDomain),
            Says::Texts(Vec::new()),
            Says::Texts(vec![vec!["v=spf1 -all".to_owned()], vec![String::new()]]),
            // The token of another claim, parts of the right one, and one that only contains it.
            Says::Texts(vec![vec![other]]),
            Says::Texts(vec![vec![text[..text.len() - 1].to_owned()]]),
            Says::Texts(vec![vec![format!("{text} and more")]]),
            Says::Texts(vec![vec![text.to_uppercase()]]),
            Says::Texts(vec![vec![
                text.clone(),
                "x".repeat(250),
                "x".repeat(250),
                "x".repeat(250),
                "x".repeat(250),
            ]]),
            Says::Texts(huge.clone()),
            Says::Alias("nowhere.example".to_owned()),
            Says::OtherName(vec![text.clone()]),
        ];
        for says in refused {
            dns.say(RECORD, says.clone());
            app.app.world.advance(SignedDuration::from_mins(2));
            let seen = check(&mut client, ORGANIZATION, NEW).await;
            assert_eq!(seen["state"], "pending", "{says:?}: {seen}");
            assert!(seen["problem"].is_string(), "{says:?}: {seen}");
        }
        let mut found = huge;
        found.push(vec![text[..10].to_owned(), text[10..].to_owned()]);
        // In pieces, among many others, over TCP because it is too long for UDP; and behind an alias.
        dns.say(RECORD, Says::Texts(found));
        app.app.world.advance(SignedDuration::from_mins(2));
        let seen = check(&mut client, ORGANIZATION, NEW).await;
        assert_eq!(seen["state"], "verified", "{seen}");
        dns.publish("target.example", &text);
        dns.say(RECORD, Says::Alias("target.example".to_owned()));
        let seen = check(&mut client, ORGANIZATION, NEW).await;
        assert_eq!(seen["state"], "verified", "{seen}");
        assert_eq!(seen["problem"], Value::Null, "{seen}");
    })
    .await;
}

#[tokio::test]
async fn r110_a_server_that_is_silent_or_talks_nonsense_is_no_answer() {
    let dns = Dns::start().await;
    let address = dns.address.to_string();
    let app = TestApp::start_with(&[("dns_resolver", address.as_str())]).await;
    furnish(&app).await;
    let mut client = Client::new(&app, Some(ORGANIZATION)).await;
    claim(&mut client, ORGANIZATION, NEW).await;
    for says in [Says::Silence, Says::Garbage] {
        dns.say(RECORD, says.clone());
        let seen = check(&mut client, ORGANIZATION, NEW).await;
        assert_eq!(seen["state"], "pending", "{says:?}: {seen}");
        assert!(seen["problem"].is_string(), "{says:?}: {seen}");
    }
}

#[tokio::test]
async fn r110_checks_by_hand_are_limited() {
    on_each_engine(|app, dns| async move {
        furnish(&app).await;
        // An answer that comes at once: the window must not end meanwhile.
        dns.say(RECORD, Says::Code(ResponseCode::NXDomain));
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        claim(&mut client, ORGANIZATION, NEW).await;
        let mut last = StatusCode::OK;
        // Two windows' worth: one may end meanwhile.
        for _ in 0..13 {
            last = client
                .send(Method::POST, &path(ORGANIZATION, &format!("/{NEW}/check")))
                .await
                .status;
            if last == StatusCode::TOO_MANY_REQUESTS {
                break;
            }
        }
        assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    })
    .await;
}

#[tokio::test]
async fn r114_public_mail_domains_suffixes_and_nonsense_are_refused() {
    on_each_engine(|app, _dns| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        for (name, wanted) in [
            ("gmail.com", "public_mail_domain"),
            ("GMAIL.COM.", "public_mail_domain"),
            ("mx.web.de", "public_mail_domain"),
            ("co.uk", "public_suffix"),
            ("localhost", "invalid_domain"),
            ("", "invalid_domain"),
            ("127.0.0.1", "invalid_domain"),
            ("*.acme.example", "invalid_domain"),
            ("a\u{202e}cme.example", "invalid_domain"),
        ] {
            let page = client
                .post(&path(ORGANIZATION, ""), &json!({ "name": name }))
                .await;
            assert_eq!(
                page.status,
                StatusCode::UNPROCESSABLE_ENTITY,
                "{name}: {}",
                page.body
            );
            assert_eq!(code(&page), wanted, "{name}");
        }
        let page = client
            .post(&path(ORGANIZATION, ""), &json!({ "name": "bücher.example" }))
            .await;
        assert_eq!(page.json()["name"], "xn--bcher-kva.example", "{}", page.body);
        // A subdomain is a claim of its own.
        let seen = get(&mut client, ORGANIZATION, "sub.home-lab.example").await;
        assert_eq!(seen["code"], "not_found");
    })
    .await;
}

#[tokio::test]
async fn r111_a_lost_domain_is_taken_out_of_its_connections_and_comes_back() {
    on_each_engine(|app, dns| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let text = claim(&mut client, ORGANIZATION, NEW).await;
        dns.publish(RECORD, &text);
        check(&mut client, ORGANIZATION, NEW).await;
        directory::change_connection(&app.app, "okta", |connection, _| {
            connection.domains.push(NEW.to_owned());
        })
        .await;
        let bo = Person::new("bo-1", "bo@acme.example");
        let page = saml_idp::sign_in(&app.app, &mut app.browser(), "okta", &bo).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);

        dns.forget(RECORD);
        for day in 0..8 {
            app.app.world.advance(SignedDuration::from_hours(24));
            domains::check_due(&app.app).await.unwrap();
            // Keys of these tests live for a day.
            client = Client::new(&app, Some(ORGANIZATION)).await;
            let seen = get(&mut client, ORGANIZATION, NEW).await;
            let wanted = if day < 7 { "failing" } else { "lost" };
            assert_eq!(seen["state"], wanted, "day {day}: {seen}");
            assert_eq!(served(&app).await.contains(&NEW.to_owned()), day < 7, "day {day}");
        }
        let seen = get(&mut client, ORGANIZATION, NEW).await;
        assert_eq!(seen["lapsed_connections"], json!(["okta"]));
        // Nobody new gets in with such an address, and it leads to no provider.
        let cy = Person::new("cy-1", "cy@acme.example");
        let page = saml_idp::sign_in(&app.app, &mut app.browser(), "okta", &cy).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.body);
        assert!(directory::accounts(&app.app, "cy@acme.example").await.is_empty());
        let mut browser = app.browser();
        let form = browser.get("/login").await.form("/login");
        let page = browser.submit(&form, &[("email", "bo@acme.example")]).await;
        assert_eq!(page.status, StatusCode::OK, "the password form");

        dns.publish(RECORD, &text);
        app.app.world.advance(SignedDuration::from_hours(7));
        domains::check_due(&app.app).await.unwrap();
        assert_eq!(get(&mut client, ORGANIZATION, NEW).await["state"], "verified");
        assert!(served(&app).await.contains(&NEW.to_owned()));
        let page = saml_idp::sign_in(&app.app, &mut app.browser(), "okta", &cy).await;
        assert_eq!(page.location().as_deref(), Some("/account"), "{}", page.body);
        let events = Client::new(&app, None)
            .await
            .get("/api/v1/events?limit=200")
            .await
            .body;
        for kind in ["domain.failing", "domain.lost"] {
            assert!(events.contains(kind), "{kind}: {events}");
        }
    })
    .await;
}

#[tokio::test]
async fn r111_only_the_operator_vouches_and_settles() {
    on_each_engine(|app, dns| async move {
        furnish(&app).await;
        let mut own = Client::new(&app, Some(ORGANIZATION)).await;
        let mut operator = Client::new(&app, None).await;
        claim(&mut own, ORGANIZATION, NEW).await;
        for what in ["verify", "award"] {
            let page = own
                .send(Method::POST, &path(ORGANIZATION, &format!("/{NEW}/{what}")))
                .await;
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{what}: {}", page.body);
            assert_eq!(code(&page), "operator_only");
        }
        let page = operator
            .send(Method::POST, &path(ORGANIZATION, &format!("/{NEW}/verify")))
            .await;
        assert_eq!(page.json()["method"], "operator", "{}", page.body);
        // The record never was there, and still the operator's word holds.
        for _ in 0..20 {
            app.app.world.advance(SignedDuration::from_hours(48));
            domains::check_due(&app.app).await.unwrap();
        }
        let mut own = Client::new(&app, Some(ORGANIZATION)).await;
        assert_eq!(check(&mut own, ORGANIZATION, NEW).await["state"], "verified");
        assert!(!dns.asked().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_second_claimant_starts_a_dispute_that_the_operator_settles() {
    on_each_engine(|app, dns| async move {
        furnish(&app).await;
        let mut first = Client::new(&app, Some(ORGANIZATION)).await;
        let mut second = Client::new(&app, Some(OTHER)).await;
        let mut operator = Client::new(&app, None).await;
        let one = claim(&mut first, ORGANIZATION, NEW).await;
        let two = claim(&mut second, OTHER, NEW).await;
        assert_ne!(one, two, "a token belongs to one organization and one name");
        // With the record of the first, the second proves nothing.
        dns.publish(RECORD, &one);
        assert_eq!(check(&mut second, OTHER, NEW).await["state"], "pending");
        assert_eq!(check(&mut first, ORGANIZATION, NEW).await["state"], "verified");
        directory::change_connection(&app.app, "okta", |connection, _| {
            connection.domains.push(NEW.to_owned());
        })
        .await;

        dns.say(RECORD, Says::Texts(vec![vec![one.clone()], vec![two.clone()]]));
        let seen = check(&mut second, OTHER, NEW).await;
        assert_eq!(
            (&seen["state"], &seen["in_force"]),
            (&json!("disputed"), &json!(false)),
            "{seen}"
        );
        assert_eq!(seen["disputed_by"], json!([]), "who it is, is not told");
        let seen = get(&mut first, ORGANIZATION, NEW).await;
        assert_eq!(
            (&seen["state"], &seen["in_force"]),
            (&json!("disputed"), &json!(true)),
            "{seen}"
        );
        assert_eq!(seen["disputed_by"], json!([]));
        let seen = get(&mut operator, ORGANIZATION, NEW).await;
        assert_eq!(seen["disputed_by"], json!([OTHER]));
        let page = operator
            .send(Method::POST, &path(OTHER, &format!("/{NEW}/verify")))
            .await;
        assert_eq!(code(&page), "domain_taken");

        let page = operator
            .send(Method::POST, &path(OTHER, &format!("/{NEW}/award")))
            .await;
        assert_eq!(page.json()["in_force"], true, "{}", page.body);
        let seen = get(&mut first, ORGANIZATION, NEW).await;
        assert_eq!(
            (&seen["state"], &seen["in_force"]),
            (&json!("lost"), &json!(false)),
            "{seen}"
        );
        assert!(!served(&app).await.contains(&NEW.to_owned()));
        // The old record does not start it all over.
        assert_eq!(check(&mut first, ORGANIZATION, NEW).await["state"], "lost");
        // Given up by its owner, it goes to whoever proves it then.
        let fresh = get(&mut first, ORGANIZATION, NEW).await["record"]["value"]
            .as_str()
            .unwrap()
            .to_owned();
        dns.publish(RECORD, &fresh);
        assert_eq!(check(&mut first, ORGANIZATION, NEW).await["state"], "disputed");
        let page = second
            .send(Method::DELETE, &path(OTHER, &format!("/{NEW}")))
            .await;
        assert_eq!(page.status, StatusCode::NO_CONTENT, "{}", page.body);
        domains::check_due(&app.app).await.unwrap();
        assert_eq!(get(&mut first, ORGANIZATION, NEW).await["state"], "verified");
        assert!(
            served(&app).await.contains(&NEW.to_owned()),
            "its connection serves it again"
        );
    })
    .await;
}

#[tokio::test]
async fn of_many_who_prove_a_domain_at_once_one_has_it() {
    on_each_engine(|app, dns| async move {
        furnish(&app).await;
        let mut first = Client::new(&app, Some(ORGANIZATION)).await;
        let mut second = Client::new(&app, Some(OTHER)).await;
        for round in 0..8 {
            let name = format!("race-{round}.example");
            let one = claim(&mut first, ORGANIZATION, &name).await;
            let two = claim(&mut second, OTHER, &name).await;
            dns.say(
                &format!("_provost-challenge.{name}"),
                Says::Texts(vec![vec![one], vec![two]]),
            );
            let (one, two) = tokio::join!(
                check(&mut first, ORGANIZATION, &name),
                check(&mut second, OTHER, &name)
            );
            let held = [&one, &two]
                .iter()
                .filter(|seen| seen["in_force"] == true)
                .count();
            assert_eq!(held, 1, "{one} {two}");
        }
    })
    .await;
}

#[tokio::test]
async fn r178_accounts_with_a_claimed_domain_outside_the_organization_are_listed() {
    on_each_engine(|app, _dns| async move {
        furnish(&app).await;
        let stray = directory::standard_account(&app.app, "stray@home-lab.example", None).await;
        directory::standard_account(&app.app, "near@sub.home-lab.example", None).await;
        directory::standard_account(&app.app, "near@not-home-lab.example", None).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let list = path(ORGANIZATION, "/home-lab.example/outside-accounts");
        let page = client.get(&list).await.json();
        let items = page["items"].as_array().unwrap();
        assert_eq!(items.len(), 1, "{page}");
        assert_eq!(items[0]["id"], stray.as_str());
        assert!(
            items[0].get("memberships").is_none(),
            "where else it belongs is not told"
        );
        // Only for a domain that the organization has.
        claim(&mut client, ORGANIZATION, NEW).await;
        let page = client
            .get(&path(ORGANIZATION, &format!("/{NEW}/outside-accounts")))
            .await;
        assert_eq!(code(&page), "domain_not_verified");
    })
    .await;
}

#[tokio::test]
async fn r113_settings_are_kept_exported_and_applied() {
    on_each_engine(|app, _dns| async move {
        furnish(&app).await;
        let mut client = Client::new(&app, Some(ORGANIZATION)).await;
        let wanted = json!({
            "sign_in": "optional", "exceptions": ["Boss@home-lab.example"],
            "prevent_outside_sign_ups": true, "auto_activate": true,
        });
        let page = client
            .send_json(
                Method::PUT,
                &path(ORGANIZATION, "/home-lab.example/settings"),
                &wanted,
            )
            .await;
        assert_eq!(page.json()["settings"], wanted, "{}", page.body);
        let exported = provost::declarative::export(&app.app).await.unwrap();
        let text = provost::declarative::render(&exported).unwrap();
        assert!(text.contains("prevent_outside_sign_ups: true"), "{text}");
        assert!(text.contains("Boss@home-lab.example"), "{text}");
        let wrong = json!({ "exceptions": ["nobody"] });
        let page = client
            .send_json(
                Method::PUT,
                &path(ORGANIZATION, "/home-lab.example/settings"),
                &wrong,
            )
            .await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", page.body);
    })
    .await;
}
