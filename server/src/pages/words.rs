//! The words of pages for people, in the language of whoever looks at them, from the same files as those of the console.
//!
//! Pages are made in many places, so the look of a request is kept with its task by a layer around all routes; outside of a
//! request everything is English. What code says in one English sentence is translated by that sentence: one that no file
//! knows stays as it is.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::LazyLock;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::app::App;
use crate::console::shell::{Look, Theme};
use crate::console::words::Language;

tokio::task_local! {
    static LOOK: Look;
}

/// The part of the files whose English texts are sentences of code.
const TEXTS: &str = "me_text.";

/// Keeps how a browser wants its pages with the task that answers it.
pub async fn layer(State(app): State<App>, request: Request, next: Next) -> Response {
    let look = Look::of(&app.config, request.headers());
    LOOK.scope(look, next.run(request)).await
}

/// Returns how the pages of this request look.
pub fn look() -> Look {
    LOOK.try_with(|look| *look).unwrap_or(Look {
        language: Language::En,
        theme: Theme::System,
    })
}

/// Returns the text of a key.
pub fn t(key: &'static str) -> &'static str {
    look().language.text(key)
}

/// Returns the text of a key with one value.
pub fn t1(key: &'static str, value: &dyn Display) -> String {
    look().language.with(key, &[value])
}

/// Translates a sentence that code says in English.
pub fn said(text: &str) -> String {
    static KEYS: LazyLock<BTreeMap<&'static str, &'static str>> =
        LazyLock::new(|| Language::En.part(TEXTS).map(|(key, text)| (text, key)).collect());
    KEYS.get(text)
        .and_then(|key| look().language.known(key))
        .map_or_else(|| text.to_owned(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use provost_kernel::denial::Denial;

    use super::{LOOK, Look, said, t};
    use crate::console::shell::Theme;
    use crate::console::words::Language;
    use crate::pages::refusal::Reason;

    #[tokio::test]
    async fn pages_speak_the_language_of_their_request() {
        let look = Look {
            language: Language::De,
            theme: Theme::Dark,
        };
        let german = LOOK.scope(look, async { (t("me.sign_in"), said("Your account is closed")) });
        assert_eq!(german.await, ("Anmelden", "Ihr Konto ist geschlossen".to_owned()));
        assert_eq!(said("Your account is closed"), "Your account is closed");
        assert_eq!(said("Nobody has ever said this."), "Nobody has ever said this.");
    }

    #[tokio::test]
    async fn r120_every_refusal_is_told_in_every_language() {
        let mut reasons = vec![
            Reason::NotVerified,
            Reason::LogoutNotVerified,
            Reason::AttemptGone,
            Reason::ProviderRefused,
            Reason::ProviderUnreachable,
            Reason::UnsolicitedRefused,
            Reason::Replayed,
        ];
        // One of each kind of words.
        let denials = [
            Denial::ConnectionDisabled,
            Denial::NotProvisionedByHand,
            Denial::NotPushedByDirectory,
            Denial::DomainReserved,
            Denial::DomainNotVerified,
            Denial::AmbiguousMatch,
            Denial::Suspended,
            Denial::Deactivated,
            Denial::ExistingAccountRefused,
            Denial::IncompleteAssertionIds,
            Denial::NoOrganization,
            Denial::NoSeat,
            Denial::EntitlementMissing,
            Denial::LinkedToOtherIdentity,
            Denial::NotInvitedPerson,
            Denial::NotPermitted,
        ];
        reasons.extend(denials.map(Reason::Denied));
        let look = Look {
            language: Language::De,
            theme: Theme::System,
        };
        LOOK.scope(look, async {
            for reason in reasons {
                let words = reason.words();
                for text in [words.title, words.reason, words.advice] {
                    assert_ne!(said(text), text, "{reason:?}");
                }
            }
        })
        .await;
    }

    /// Sentences of a source outside of its tests: quoted, with a capital and a full stop.
    fn sentences(source: &str) -> Vec<String> {
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        let code: String = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .flat_map(|line| [line, "\n"])
            .collect();
        let quoted = code.split('"').skip(1).step_by(2);
        quoted
            .map(|text| {
                let lines = text.split("\\\n").map(str::trim_start);
                lines.collect::<String>()
            })
            .filter(|text| {
                text.starts_with(|first: char| first.is_ascii_uppercase())
                    && text.contains(' ')
                    && text.ends_with('.')
                    && !text.contains(['{', '\n'])
            })
            .collect()
    }

    #[tokio::test]
    async fn what_errors_say_to_people_is_said_in_every_language() {
        let look = Look {
            language: Language::De,
            theme: Theme::System,
        };
        let sources = [
            include_str!("../error.rs"),
            include_str!("../error/denied.rs"),
            include_str!("../http/sso.rs"),
            include_str!("../http/login.rs"),
            include_str!("../http/invite.rs"),
            include_str!("../http/account.rs"),
            include_str!("../flow/password.rs"),
            include_str!("../flow/set_password.rs"),
            include_str!("../flow/second_factor.rs"),
            include_str!("../flow/passkeys.rs"),
            include_str!("../flow/step_up.rs"),
        ];
        let all: Vec<String> = sources.into_iter().flat_map(sentences).collect();
        assert!(all.len() > 40, "{all:?}");
        LOOK.scope(look, async {
            let unsaid: Vec<_> = all.iter().filter(|text| said(text) == **text).collect();
            assert!(unsaid.is_empty(), "{unsaid:#?}");
        })
        .await;
    }
}
