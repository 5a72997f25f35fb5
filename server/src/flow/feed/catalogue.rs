//! The catalogue of events: every kind that stands in the feed, in one list. What each means is said in `languages`, under
//! `about_event`. A test holds the list to what is recorded.

/// Every kind of event of the feed, in alphabetical order.
pub const KINDS: &[&str] = &[
    "account.password_reset_asked",
    "alert.raised",
    "api_key.created",
    "api_key.revoked",
    "application.created",
    "application.deleted",
    "application.updated",
    "connection.created",
    "connection.deleted",
    "connection.draft_begun",
    "connection.draft_discarded",
    "connection.live",
    "connection.metadata_refreshed",
    "connection.retired",
    "connection.updated",
    "conversion.paused",
    "conversion.resumed",
    "conversion.started",
    "conversion.undone",
    "domain.awarded",
    "domain.claimed",
    "domain.disputed",
    "domain.failing",
    "domain.given_up",
    "domain.lost",
    "domain.settings_changed",
    "domain.unproved",
    "domain.verified",
    "domain.vouched",
    "domain.withdrawn",
    "group.created",
    "group.deleted",
    "group.members_added",
    "group.members_removed",
    "group.updated",
    "instance.defaults_changed",
    "invitation.created",
    "invitation.resent",
    "membership.created",
    "membership.removed",
    "membership.updated",
    "organization.created",
    "organization.deleted",
    "organization.plan_changed",
    "organization.sign_in_changed",
    "organization.updated",
    "policy.held",
    "policy.rejected",
    "policy.updated",
    "recovery_codes.made",
    "request.refused",
    "scim_token.created",
    "scim_token.revoked",
    "second_factor.added",
    "second_factor.removed",
    "session.created",
    "session.revoked",
    "setup_link.created",
    "setup_link.done",
    "setup_link.opened",
    "setup_link.regenerated",
    "setup_link.revoked",
    "sign_in.refused",
    "strips.approved",
    "user.activated",
    "user.authentication_changed",
    "user.created",
    "user.deactivated",
    "user.deleted",
    "user.linked",
    "user.restored",
    "user.suspended",
    "user.unlinked",
    "user.updated",
    "webhook.created",
    "webhook.deleted",
    "webhook.disabled",
    "webhook.secret_rotated",
    "webhook.updated",
];

/// Returns every family of kinds, such as `user`.
pub fn families() -> impl Iterator<Item = &'static str> {
    let family = |kind: &'static str| kind.split('.').next().unwrap_or_default();
    let before = std::iter::once("").chain(KINDS.iter().map(move |kind| family(kind)));
    KINDS
        .iter()
        .map(move |kind| family(kind))
        .zip(before)
        .filter(|(this, before)| this != before)
        .map(|(this, _)| this)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use provost_kernel::audit::EventKind;

    use super::{KINDS, families};
    use crate::console::words::Language;

    #[test]
    fn r188_every_kind_is_listed_once_and_explained_in_every_language() {
        assert!(
            KINDS.is_sorted_by(|one, next| one < next),
            "sorted, and none twice"
        );
        for kind in EventKind::ALL {
            assert!(KINDS.contains(&kind.code()), "{}", kind.code());
        }
        for language in Language::ALL {
            let explained = language.part("about_event.").count();
            assert_eq!(explained, KINDS.len(), "{language:?}");
            for kind in KINDS {
                let key = format!("about_event.{}", kind.replace('.', "_"));
                assert!(language.known(&key).is_some(), "{language:?}: {key}");
            }
        }
        assert_eq!(families().next(), Some("account"));
        assert_eq!(families().last(), Some("webhook"));
    }

    #[test]
    fn r188_what_flows_record_is_in_the_list() {
        let families: BTreeSet<&str> = families().collect();
        let mut named = BTreeSet::new();
        collect(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src/flow"),
            &mut named,
        );
        collect(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src/jobs"),
            &mut named,
        );
        collect(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src/declarative"),
            &mut named,
        );
        let unknown: Vec<&String> = named
            .iter()
            .filter(|kind| families.contains(kind.split('.').next().unwrap_or_default()))
            // The one call that is no event, and files of templates.
            .filter(|kind| *kind != "webhook.test" && !KINDS.contains(&kind.as_str()))
            .collect();
        assert!(unknown.is_empty(), "{unknown:?} stand in no catalogue");
        assert!(named.contains("webhook.disabled"), "the sources were read");
    }

    /// Collects the texts in quotes that look like kinds.
    fn collect(folder: &Path, named: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, named);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                named.extend(text.split('"').filter(|part| is_kind(part)).map(str::to_owned));
            }
        }
    }

    fn is_kind(text: &str) -> bool {
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        text.split_once('.')
            .is_some_and(|(family, rest)| is_word(family) && is_word(rest))
    }
}
