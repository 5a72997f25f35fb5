//! View models of passkeys: signing in with one, making one.

use askama::Template;

/// The form that asks the browser for a signature.
pub struct PasskeyForm {
    /// Where the answer goes.
    pub action: String,
    /// `alone` or `second`.
    pub kind: &'static str,
    /// Token of what waits, where no cookie holds it.
    pub pending: String,
    /// Challenge, base64url.
    pub challenge: String,
    /// Host that passkeys belong to.
    pub host: String,
    /// Credentials that may answer, base64url, with spaces between; empty for any.
    pub known: String,
}

/// `/login/passkey`.
#[derive(Template)]
#[template(path = "passkey_login.html")]
pub struct PasskeyLoginPage {
    /// Proof that the form came from this browser.
    pub form_token: String,
    /// The form.
    pub passkey: PasskeyForm,
    /// Where the password form is.
    pub password_path: String,
    /// What was wrong with the last try.
    pub problem: Option<String>,
}

/// `/account/security/passkeys`.
#[derive(Template)]
#[template(path = "passkey_new.html")]
pub struct PasskeyNewPage {
    /// Proof that the form came from this session.
    pub form_token: String,
    /// Token of the challenge.
    pub pending: String,
    /// Challenge, base64url.
    pub challenge: String,
    /// Host that the passkey will belong to.
    pub host: String,
    /// Identifier of the account: what the device keeps.
    pub user: String,
    /// Name of the account on the device.
    pub name: String,
    /// Credentials that exist already, base64url, with spaces between.
    pub known: String,
    /// What was wrong with the last try.
    pub problem: Option<String>,
}
