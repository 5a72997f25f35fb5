//! View models of second factors: the second step of a sign-in, and what a person sets up for it.

use askama::Template;

use crate::pages::passkey::PasskeyForm;

/// `/login/second`.
#[derive(Template)]
#[template(path = "second.html")]
pub struct SecondPage {
    /// Proof that the form came from this browser.
    pub form_token: String,
    /// Whose sign-in waits.
    pub email: String,
    /// An authenticator app that has to be set up first.
    pub set_up: Option<SetUpView>,
    /// Whether a code is of use: of an app or for recovery.
    pub asks_for_code: bool,
    /// The form for a passkey, if she has one.
    pub passkey: Option<PasskeyForm>,
    /// Whether recovery codes exist.
    pub recovery_codes: bool,
    /// The way back.
    pub login_path: String,
    /// What was wrong with the last code.
    pub problem: Option<String>,
}

/// What an authenticator app needs.
pub struct SetUpView {
    /// Picture to scan, as a `data:` address.
    pub picture: String,
    /// Secret to type.
    pub secret: String,
    /// Address to open on the same device.
    pub address: String,
}

/// `/account/security`.
#[derive(Template)]
#[template(path = "security.html")]
pub struct SecurityPage {
    /// Proof that the forms came from this session.
    pub form_token: String,
    /// Second factors, oldest first.
    pub factors: Vec<FactorRow>,
    /// Whether passkeys can be made here.
    pub passkeys: bool,
    /// Recovery codes that are still good.
    pub recovery_codes: u32,
    /// What was wrong with the last form.
    pub problem: Option<String>,
}

/// One second factor.
pub struct FactorRow {
    /// Identifier.
    pub id: String,
    /// What it is called.
    pub label: String,
    /// Whether it is a passkey; else an authenticator app.
    pub is_passkey: bool,
    /// When it was last used, for machines and for people.
    pub used: Option<(String, String)>,
    /// Since when, for machines.
    pub since: String,
    /// The same, for people.
    pub since_text: String,
}

/// `/account/security/totp`.
#[derive(Template)]
#[template(path = "totp.html")]
pub struct TotpPage {
    /// Proof that the form came from this session.
    pub form_token: String,
    /// The secret, to come back with the form.
    pub kept: String,
    /// What the app needs.
    pub set_up: SetUpView,
    /// What was wrong with the last try.
    pub problem: Option<String>,
}

/// New recovery codes, shown once.
#[derive(Template)]
#[template(path = "recovery_codes.html")]
pub struct RecoveryCodesPage {
    /// The codes.
    pub codes: Vec<String>,
}
