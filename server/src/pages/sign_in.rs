//! View models of the pages on the way in and out: e-mail, password, choice, hand-over, new password, sign-out.

use askama::Template;

/// `/login`: asks for the work e-mail first.
#[derive(Template)]
#[template(path = "login.html")]
pub struct LoginPage {
    /// Proof that the form came from this browser.
    pub form_token: String,
    /// Opaque id of the app request that waits, or empty.
    pub return_to: String,
    /// Address to fill in.
    pub email: String,
    /// Name of the app to continue to, if one waits.
    pub continue_to: Option<String>,
    /// Where the password form is.
    pub password_path: String,
    /// What was wrong with the last attempt.
    pub problem: Option<String>,
}

/// The password form for standard accounts.
#[derive(Template)]
#[template(path = "password.html")]
pub struct PasswordPage {
    /// Proof that the form came from this browser.
    pub form_token: String,
    /// Opaque id of the app request that waits, or empty.
    pub return_to: String,
    /// Address to fill in.
    pub email: String,
    /// Whether a page wants to know again that it is she.
    pub again: bool,
    /// Where passkeys are asked for, where browsers know them.
    pub passkey_path: Option<String>,
    /// The way back to the e-mail form.
    pub login_path: String,
    /// Where a new password is asked for, if mail can leave.
    pub forgot_path: Option<String>,
    /// What was wrong with the last attempt; the same words whether or not the account exists.
    pub problem: Option<String>,
}

/// Asks for the address to which a link for a new password goes.
#[derive(Template)]
#[template(path = "forgot.html")]
pub struct ForgotPage {
    /// Proof that the form came from this browser.
    pub form_token: String,
    /// Address to fill in.
    pub email: String,
    /// The way back to the password form.
    pub password_path: String,
    /// What was wrong with the last attempt.
    pub problem: Option<String>,
    /// Whether the form was sent; the same words whether or not the account exists.
    pub is_sent: bool,
}

/// One button per connection.
#[derive(Template)]
#[template(path = "choose.html")]
pub struct ChoosePage {
    /// The organization whose page this is.
    pub organization: Option<String>,
    /// The address that several connections serve, or empty.
    pub email: String,
    /// Buttons in order.
    pub connections: Vec<Choice>,
    /// Where the password form is, unless it is hidden.
    pub password_path: Option<String>,
}

/// One sign-in button.
pub struct Choice {
    /// Its words: the connection's own label.
    pub label: String,
    /// Where it leads.
    pub path: String,
}

/// `/login/account`: several accounts fit, and the person says which one is hers.
#[derive(Template)]
#[template(path = "account_choice.html")]
pub struct AccountChoicePage {
    /// Proof that the form came from this browser.
    pub form_token: String,
    /// The accounts.
    pub offers: Vec<AccountOffer>,
}

/// One account that fits.
pub struct AccountOffer {
    /// Which.
    pub id: String,
    /// Whose name it bears.
    pub name: String,
    /// Its address, if one is known.
    pub email: Option<String>,
    /// What kind of account it is.
    pub kind: String,
    /// Whether it signs in with a password so far.
    pub has_password: bool,
    /// Names of its organizations; empty if it is in none.
    pub organizations: String,
}

/// A form that the browser posts to another site at once (SAML POST binding, `form_post`).
#[derive(Template)]
#[template(path = "hand_over.html")]
pub struct HandOverPage {
    /// What happens, for people whose browser runs no scripts.
    pub text: String,
    /// Where the form goes.
    pub action: String,
    /// Hidden fields.
    pub fields: Vec<(String, String)>,
}

/// The form behind a one-time link that sets a password.
#[derive(Template)]
#[template(path = "set_password.html")]
pub struct SetPasswordPage {
    /// Proof that the form came from this browser.
    pub form_token: String,
    /// Whose password.
    pub email: String,
    /// Fewest characters.
    pub minimum: usize,
    /// What was wrong with the last attempt.
    pub problem: Option<String>,
}

/// Where an invitation leads.
#[derive(Template)]
#[template(path = "invite.html")]
pub struct InvitePage {
    /// Proof that the form came from this browser.
    pub form_token: String,
    /// Who invites.
    pub organization: String,
    /// Whom.
    pub email: String,
    /// Words of the connection's button, where the person signs in through it.
    pub connection: Option<String>,
    /// Fewest characters of a password.
    pub minimum: usize,
    /// What was wrong with the last attempt.
    pub problem: Option<String>,
}

/// Asks before signing out.
#[derive(Template)]
#[template(path = "logout.html")]
pub struct LogoutPage {
    /// Proof that the form came from this browser.
    pub form_token: String,
    /// Where the form goes.
    pub action: String,
    /// Further hidden fields.
    pub fields: Vec<(String, String)>,
    /// Who is signed in.
    pub label: String,
}

/// Says that the person is signed out, and where.
#[derive(Template)]
#[template(path = "signed_out.html")]
pub struct SignedOutPage {
    /// What ended and what did not.
    pub text: String,
}
