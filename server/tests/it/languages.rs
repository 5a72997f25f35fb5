//! Second steps, passkeys and fresh proofs in German, for a browser that asks for it.

use axum::http::{StatusCode, header};
use provost::console::words::Language;

use crate::app::{Browser, Page, TestApp, on_each_engine};
use crate::directory::{self, ORGANIZATION};
use crate::passkeys;
use crate::second_factors::{
    CARA, PASSWORD, demand_second_factors, member, recovery_codes, set_up, type_password,
};

fn german(app: &TestApp) -> Browser {
    let mut browser = app.browser();
    let accepted = "de-DE,de;q=0.9,en;q=0.5".parse().unwrap();
    browser.headers.insert(header::ACCEPT_LANGUAGE, accepted);
    browser
}

/// Texts of the catalogue that read otherwise in German and cannot stand in a German page by chance.
fn english() -> Vec<&'static str> {
    let differs = |key: &str, text: &str| Language::De.known(key).is_some_and(|german| german != text);
    ["me.", "me_text."]
        .into_iter()
        .flat_map(|part| Language::En.part(part))
        .filter(|(key, text)| differs(key, text) && text.len() > 7 && !text.contains('{'))
        .map(|(_, text)| text)
        .collect()
}

/// A page is German through and through, and says this.
fn is_german(page: &Page, says: &[&str]) {
    assert!(page.body.contains("<html lang=\"de\""), "{}", page.body);
    for text in says {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    let left: Vec<_> = english()
        .into_iter()
        .filter(|text| page.body.contains(&format!(">{text}")) || page.body.contains(&format!("\"{text}")))
        .collect();
    assert!(left.is_empty(), "{left:?}: {}", page.body);
}

#[tokio::test]
async fn second_steps_and_account_security_speak_german_to_a_german_browser() {
    on_each_engine(|app| async move {
        directory::organization(&app.app).await;
        directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        let mut cara = german(&app);
        type_password(&mut cara, CARA, PASSWORD).await;
        is_german(
            &cara.get("/account/security").await,
            &["Zweiter Schritt", "Es gibt keine."],
        );
        let totp = cara.get("/account/security/totp").await;
        is_german(&totp, &["Authenticator-App einrichten", "Schlüssel: <code"]);
        let form = totp.form("/account/security/totp");
        let wrong = cara
            .submit(&form, &[("code", "000000"), ("password", PASSWORD)])
            .await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        is_german(&wrong, &["Der Code stimmt nicht"]);
        set_up(&app, &mut cara).await;
        recovery_codes(&mut cara).await;
        let form = cara.get("/account/security").await.form("/recovery-codes");
        let codes = cara.submit(&form, &[("password", PASSWORD)]).await;
        is_german(&codes, &["Ihre Wiederherstellungscodes"]);
        let wrong = cara.submit(&form, &[("password", "not her password")]).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        is_german(&wrong, &["Authenticator-App", "10 sind übrig.", ", nie benutzt"]);

        let mut again = german(&app);
        type_password(&mut again, CARA, PASSWORD).await;
        let second = again.get("/login/second").await;
        is_german(&second, &["Bestätigen Sie", "Wiederherstellungscodes"]);
        let wrong = again
            .submit(&second.form("/login/second"), &[("code", "000000")])
            .await;
        is_german(&wrong, &["Der Code stimmt nicht"]);
    })
    .await;
}

#[tokio::test]
async fn a_second_step_that_is_demanded_is_explained_in_german() {
    on_each_engine(|app| async move {
        demand_second_factors(&app).await;
        let mut browser = german(&app);
        type_password(&mut browser, CARA, PASSWORD).await;
        let page = browser.get("/login/second").await;
        is_german(
            &page,
            &["Zweiten Schritt einrichten", "Ihre Organisation verlangt"],
        );
    })
    .await;
}

#[tokio::test]
async fn passkeys_speak_german_to_a_german_browser() {
    passkeys::on_each_engine(|app| async move {
        directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        let login = german(&app).get("/login/passkey").await;
        is_german(
            &login,
            &["Mit einem Passkey anmelden", "Passkeys brauchen ein Skript"],
        );
        let mut cara = german(&app);
        type_password(&mut cara, CARA, PASSWORD).await;
        let new = cara.get("/account/security/passkeys").await;
        is_german(
            &new,
            &["Passkey einrichten", "Der Browser hat keinen Passkey erzeugt"],
        );
        let refused = cara
            .submit(&new.form("/account/security/passkeys"), &[("password", PASSWORD)])
            .await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.body);
        is_german(&refused, &["Der Passkey wurde nicht angenommen."]);
        passkeys::make_one(&mut cara, "key-1").await;
        is_german(
            &cara.get("/account/security").await,
            &["Passkey einrichten", "Entfernen"],
        );
        let mut again = german(&app);
        type_password(&mut again, CARA, PASSWORD).await;
        let second = again.get("/login/second").await;
        is_german(&second, &["Passkey benutzen"]);
        let failed = again.get("/login/second?failed=1").await;
        is_german(&failed, &["Dieser Passkey wurde nicht angenommen."]);
    })
    .await;
}

#[tokio::test]
async fn a_fresh_proof_is_asked_for_in_german() {
    on_each_engine(|app| async move {
        directory::organization(&app.app).await;
        let id = directory::standard_account(&app.app, CARA, Some(PASSWORD)).await;
        member(&app, &id, "owner").await;
        let mut cara = german(&app);
        type_password(&mut cara, CARA, PASSWORD).await;
        app.app.world.advance(jiff::SignedDuration::from_mins(16));
        let token = cara.get("/account").await.form("/logout").fields["form_token"].clone();
        let path = format!("/console/{ORGANIZATION}/users/{id}/delete");
        let refused = cara.post(&path, &[("form_token", &token)]).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.body);
        is_german(&refused, &["/account/confirm"]);
        let confirm = cara.get("/account/confirm").await;
        let asked = cara.follow(confirm).await;
        is_german(&asked, &["Bestätigen Sie"]);
    })
    .await;
}
