//! Mail: composing it in the recipient's language and the organization's colors, and sending what waits in the outbox.
//!
//! A mail is queued in the transaction of its cause (`Tx::queue_mail`) and goes out at least once; its `Message-ID` is the
//! same at every try. Words are in `languages/mail`, one file for each language.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use askama::Template;
use jiff::{SignedDuration, Timestamp};
use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use provost_kernel::email::Email;
use provost_kernel::id::{AccountId, OrganizationId};
use provost_store::{MailOutcome, NewMail, OutgoingMail, StoreError};
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use crate::app::App;
use crate::branding::Branding;
use crate::error::{AppError, Result};
use crate::mail_words::{self, fill};
use crate::world::{NoRandomness, World};

/// Mails that one node takes at a time.
const PORTION: u32 = 8;
/// Mails that one node sends at the same moment.
const AT_ONCE: usize = 4;
/// Longest time for one mail.
const LIMIT: Duration = Duration::from_secs(30);
/// How long a node may take for what it took; then another one sends it. Longer than it can take.
const LEASE: SignedDuration = SignedDuration::from_secs(90);
/// Seconds to wait after each failure; after the last one the mail is given up. A day and a half in all.
const RETRIES: &[i64] = &[30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 43_200, 43_200];

/// Kinds of mail. The words of each are in every file of `languages/mail`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An invitation to choose a password.
    Invitation,
    /// An invitation to sign in through the company.
    InvitationSso,
    /// The account is converted: sign in through the company from now on.
    Conversion,
    /// Somebody converted has not signed in through the company yet.
    ConversionReminder,
    /// A conversion in place was undone: a new password is needed.
    ConversionUndone,
    /// The connection that the person signed in through ended: a password is needed.
    ConnectionEnded,
    /// A directory pushed the person, and the connection wants her told (C-22).
    Welcome,
    /// A new password was asked for.
    PasswordReset,
    /// A new password was asked for, for an account that has none.
    PasswordResetSso,
    /// Something for admins to know; values `what` and `text`.
    Alert,
    /// An emergency admin came in with a password although single sign-on is demanded.
    EmergencySignIn,
    /// A recovery code stood in for a second factor.
    RecoveryCodeUsed,
    /// A directory has not called for days.
    DirectorySilent,
    /// Most of what a directory asks for fails.
    DirectoryFailing,
    /// A directory takes out too many people at once, and is held.
    DeparturesHeld,
    /// A webhook cannot be called any more.
    WebhookDisabled,
}

impl Kind {
    /// Returns the stable word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::InvitationSso => "invitation_sso",
            Self::Conversion => "conversion",
            Self::ConversionReminder => "conversion_reminder",
            Self::ConversionUndone => "conversion_undone",
            Self::ConnectionEnded => "connection_ended",
            Self::Welcome => "welcome",
            Self::PasswordReset => "password_reset",
            Self::PasswordResetSso => "password_reset_sso",
            Self::Alert => "alert",
            Self::EmergencySignIn => "emergency_sign_in",
            Self::RecoveryCodeUsed => "recovery_code_used",
            Self::DirectorySilent => "directory_silent",
            Self::DirectoryFailing => "directory_failing",
            Self::DeparturesHeld => "departures_held",
            Self::WebhookDisabled => "webhook_disabled",
        }
    }
}

/// To whom a mail goes, and about what.
#[derive(Clone, Debug)]
pub struct Addressed {
    /// Address.
    pub email: Email,
    /// Name to greet with; the address if there is none.
    pub name: Option<String>,
    /// For which organization.
    pub organization: Option<OrganizationId>,
    /// About which account.
    pub account: Option<AccountId>,
}

/// Makes a mail for `Tx::queue_mail`. Ring [`App::ring_mail`] after the commit.
///
/// # Errors
/// [`NoRandomness`].
pub fn new_mail(
    world: &World,
    kind: Kind,
    to: Addressed,
    values: &[(&str, String)],
    link: Option<String>,
) -> Result<NewMail, NoRandomness> {
    Ok(written(world.id("mail_")?, kind, to, values, link))
}

/// Makes a mail of a kind with this identifier.
pub fn written(
    id: String,
    kind: Kind,
    to: Addressed,
    values: &[(&str, String)],
    link: Option<String>,
) -> NewMail {
    let name = to
        .name
        .filter(|name| !name.trim().is_empty())
        .unwrap_or_else(|| to.email.to_string());
    let mut all: BTreeMap<String, String> = values
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()))
        .collect();
    all.insert("name".to_owned(), name);
    all.insert("email".to_owned(), to.email.to_string());
    NewMail {
        id,
        kind: kind.word().to_owned(),
        recipient: to.email,
        organization: to.organization,
        account: to.account,
        language: None,
        values: all,
        link: link.map(Zeroizing::new),
    }
}

/// A mail in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Composed {
    /// Subject, one line.
    pub subject: String,
    /// As text.
    pub text: String,
    /// As HTML.
    pub html: String,
}

#[derive(Template)]
#[template(path = "mail.txt")]
struct TextMail<'a> {
    greeting: &'a str,
    lines: &'a [String],
    link: Option<&'a str>,
    button: &'a str,
    foot: &'a str,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct HtmlMail<'a> {
    language: &'a str,
    subject: &'a str,
    sender: &'a str,
    logo_url: Option<&'a str>,
    color: &'a str,
    text_color: &'a str,
    heading: &'a str,
    greeting: &'a str,
    lines: &'a [String],
    link: Option<&'a str>,
    button: &'a str,
    fallback: &'a str,
    foot: &'a str,
}

/// Writes a mail of a kind in the first of these languages that has words for it.
///
/// # Errors
/// 500 for a kind without words, or when a template fails.
pub fn compose(
    kind: &str,
    languages: &[&str],
    branding: &Branding,
    values: &BTreeMap<String, String>,
    link: Option<&str>,
) -> Result<Composed> {
    let (language, common, words) = mail_words::find(kind, languages)
        .ok_or_else(|| AppError::internal("a kind of mail without words"))?;
    // A line break in a value must not begin another line, least of all another header.
    let values: BTreeMap<String, String> = values
        .iter()
        .map(|(key, value)| (key.clone(), one_line(value)))
        .collect();
    let (subject, heading) = (fill(&words.subject, &values), fill(&words.heading, &values));
    let lines: Vec<String> = words.lines.iter().map(|line| fill(line, &values)).collect();
    let sender = values.get("sender").map_or("", String::as_str);
    let foot = if values.get("organization").is_some_and(|name| name == sender) {
        &common.foot_own
    } else {
        &common.foot
    };
    let (greeting, foot) = (fill(&common.greeting, &values), fill(foot, &values));
    let (color, text_color) = branding.colors();
    let text = TextMail {
        greeting: &greeting,
        lines: &lines,
        link,
        button: &words.button,
        foot: &foot,
    };
    let html = HtmlMail {
        language,
        subject: &subject,
        sender,
        logo_url: branding.logo_url.as_deref(),
        color: &color,
        text_color,
        heading: &heading,
        greeting: &greeting,
        lines: &lines,
        link,
        button: &words.button,
        fallback: &common.fallback,
        foot: &foot,
    };
    Ok(Composed {
        text: text.render()?,
        html: html.render()?,
        subject,
    })
}

fn one_line(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(500)
        .collect()
}

/// Sends what is due, until nothing is. Returns how many left.
///
/// # Errors
/// Those of the store. A mail that does not leave is no error: it is noted in its row.
pub async fn deliver(app: &App) -> Result<usize> {
    let mut sent = 0;
    loop {
        let now = app.world.now();
        let is_due = app
            .store
            .read(|reader| Box::pin(async move { reader.has_due_mail(now).await }))
            .await
            .map_err(|error: StoreError| AppError::from(error))?;
        if !is_due {
            return Ok(sent);
        }
        let claimed: Vec<OutgoingMail> = app
            .store
            .write(move |tx| Box::pin(async move { tx.claim_mails(PORTION, LEASE, now).await }))
            .await
            .map_err(|error: StoreError| AppError::from(error))?;
        if claimed.is_empty() {
            return Ok(sent);
        }
        sent += send_all(app, claimed).await?;
    }
}

/// Sends some mails, a few at a time, and notes what became of each at once: a node that is killed sends few twice.
async fn send_all(app: &App, claimed: Vec<OutgoingMail>) -> Result<usize> {
    let mut sent = 0;
    let mut waiting = claimed.into_iter();
    let mut running = JoinSet::new();
    loop {
        while running.len() < AT_ONCE {
            let Some(outgoing) = waiting.next() else { break };
            let app = app.clone();
            running.spawn(async move {
                let id = outgoing.mail.id.clone();
                let outcome = send_one(&app, &outgoing).await;
                let is_sent = outcome == MailOutcome::Sent;
                let now = app.world.now();
                let settled: Result<(), StoreError> = app
                    .store
                    .write(move |tx| Box::pin(async move { tx.settle_mail(&id, &outcome, now).await }))
                    .await;
                settled.map(|()| is_sent)
            });
        }
        match running.join_next().await {
            None => return Ok(sent),
            Some(done) => sent += usize::from(done.map_err(AppError::internal)??),
        }
    }
}

async fn send_one(app: &App, outgoing: &OutgoingMail) -> MailOutcome {
    let (kind, id) = (outgoing.mail.kind.as_str(), outgoing.mail.id.as_str());
    let failed = match message(app, outgoing).await {
        Ok(message) => match tokio::time::timeout(LIMIT, app.mailer.send(id, message)).await {
            Ok(sent) => sent.err(),
            Err(_) => Some(crate::mailer::MailerError {
                text: format!("took longer than {} seconds", LIMIT.as_secs()),
                is_final: false,
            }),
        },
        Err(error) => Some(crate::mailer::MailerError {
            text: crate::error::chain(&error),
            is_final: false,
        }),
    };
    let Some(error) = failed else {
        metrics::counter!("provost_mails_total", "outcome" => "sent").increment(1);
        return MailOutcome::Sent;
    };
    let retry_at = retry_at(outgoing.mail.attempts, app.world.now()).filter(|_| !error.is_final);
    let outcome = if retry_at.is_some() { "failed" } else { "dead" };
    metrics::counter!("provost_mails_total", "outcome" => outcome).increment(1);
    tracing::warn!(mail = id, kind, given_up = retry_at.is_none(), %error, "a mail did not leave");
    MailOutcome::Failed {
        error: error.text.chars().take(500).collect(),
        retry_at,
    }
}

fn retry_at(attempts: i64, now: Timestamp) -> Option<Timestamp> {
    let failures = usize::try_from(attempts.max(1)).unwrap_or(usize::MAX);
    let seconds = RETRIES.get(failures - 1)?;
    now.checked_add(SignedDuration::from_secs(*seconds)).ok()
}

async fn message(app: &App, outgoing: &OutgoingMail) -> Result<Message> {
    let mail = &outgoing.mail;
    let organization = match mail.organization.clone() {
        Some(id) => app
            .store
            .read(|reader| Box::pin(async move { reader.organization(&id).await }))
            .await
            .map_err(|error: StoreError| AppError::from(error))?,
        None => None,
    };
    let branding = organization
        .as_ref()
        .map(|record| Branding::of(&record.settings))
        .unwrap_or_default();
    let from: Mailbox = app.config.mail.from.parse().map_err(AppError::internal)?;
    let host = app.config.public_url.host_str().unwrap_or_default().to_owned();
    let own = from.name.clone().unwrap_or(host);
    let name = organization.map_or_else(|| own.clone(), |record| record.organization.name);
    let mut values = mail.values.clone();
    let sender = branding.sender.clone().unwrap_or_else(|| name.clone());
    values.insert("organization".to_owned(), name);
    values.insert("sender".to_owned(), sender.clone());
    let languages: Vec<&str> = [
        mail.language.as_deref(),
        branding.language.as_deref(),
        Some(app.config.mail.language.as_str()),
    ]
    .into_iter()
    .flatten()
    .collect();
    let link = outgoing.link.as_ref().map(|link| link.as_str());
    let composed = compose(&mail.kind, &languages, &branding, &values, link)?;
    assemble(app, mail, from, &branding, composed)
}

fn assemble(
    app: &App,
    mail: &provost_store::MailRecord,
    from: Mailbox,
    branding: &Branding,
    composed: Composed,
) -> Result<Message> {
    let id = format!("<{}@{}>", mail.id, from.email.domain());
    let to = Mailbox::new(None, mail.recipient.as_str().parse().map_err(AppError::internal)?);
    let from = match &branding.sender {
        Some(sender) => Mailbox::new(Some(one_line(sender)), from.email),
        None => from,
    };
    let mut builder = Message::builder()
        .from(from)
        .to(to)
        .subject(one_line(&composed.subject))
        .date(SystemTime::from(mail.created_at))
        .message_id(Some(id));
    if let Some(reply_to) = branding.reply_to.as_ref().or(app.config.mail.reply_to.as_ref()) {
        builder = builder.reply_to(reply_to.parse().map_err(AppError::internal)?);
    }
    // Vacation notes and the like shall not answer (RFC 3834).
    builder = builder.raw_header(HeaderValue::new(
        HeaderName::new_from_ascii_str("Auto-Submitted"),
        "auto-generated".to_owned(),
    ));
    builder
        .multipart(MultiPart::alternative_plain_html(composed.text, composed.html))
        .map_err(AppError::internal)
}

/// Refuses what needs mail where none can leave.
///
/// # Errors
/// 409 (`mail_off`).
pub fn must_be_on(app: &App) -> Result<()> {
    if app.config.mail.is_on() {
        return Ok(());
    }
    Err(AppError::new(
        axum::http::StatusCode::CONFLICT,
        "mail_off",
        "This needs mail, and no way out is configured (mail_transport).",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(name: &str) -> BTreeMap<String, String> {
        [
            ("name", name),
            ("organization", "Home <Lab>"),
            ("sender", "Home Lab"),
            ("email", "ada@home-lab.example"),
            ("days", "7"),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
    }

    #[test]
    fn mail_is_written_in_text_and_html_and_in_the_language_wanted() {
        let link = Some("https://sso.example/invite/abc?x=1&y=2");
        let mail = compose("invitation", &["de"], &Branding::default(), &values("Ada"), link).unwrap();
        assert_eq!(mail.subject, "Ihre Einladung zu Home <Lab>");
        assert!(
            mail.text.contains("https://sso.example/invite/abc?x=1&y=2\n"),
            "{}",
            mail.text
        );
        assert!(mail.html.contains("Home &#60;Lab&#62;"), "{}", mail.html);
        assert!(mail.html.contains("lang=\"de\""));
        let other = compose("invitation", &["xx"], &Branding::default(), &values("Ada"), link).unwrap();
        assert_eq!(other.subject, "Your invitation to Home <Lab>");
        assert!(compose("nothing", &["en"], &Branding::default(), &values("Ada"), link).is_err());
    }

    #[test]
    fn a_value_makes_no_header_and_no_markup() {
        let hostile = "Ada\r\nBcc: all@evil.example\r\n\r\n<script>alert(1)</script>";
        let mut values = values(hostile);
        values.insert(
            "organization".to_owned(),
            "Lab\r\nBcc: all@evil.example".to_owned(),
        );
        let mail = compose("invitation", &["en"], &Branding::default(), &values, None).unwrap();
        assert!(!mail.subject.contains(['\r', '\n']), "{:?}", mail.subject);
        assert!(!mail.html.contains("<script>"));
        assert!(!mail.text.contains("\nBcc:"), "{}", mail.text);
    }
}
