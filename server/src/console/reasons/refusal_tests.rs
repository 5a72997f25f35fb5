//! Everything that is refused before the kernel decides is told in every language: errors of protocols by the list of their crate,
//! everything else by where it stands in the sources.

use std::collections::BTreeSet;
use std::path::Path;

use provost_oidc::OidcError;
use provost_saml::SamlError;

use super::{Language, Piece, pieces, refusals, sentences, tell, tell_setting};
use crate::flow::provider::ProviderError;
use crate::outbound::OutboundError;
use crate::translate::oidc::ClaimsError;
use crate::translate::saml::AssertionError;

/// Languages that are not the one of the sources.
fn others() -> impl Iterator<Item = Language> {
    let all = Language::ALL.iter().copied();
    all.filter(|language| *language != Language::En)
}

/// A sentence with its values, as it would be recorded.
fn filled(text: &str) -> String {
    let mut rest = text;
    let mut whole = String::new();
    while let Some((before, after)) = rest.split_once('{') {
        let (_, behind) = after.split_once('}').unwrap();
        whole.push_str(before);
        whole.push_str("“x”");
        rest = behind;
    }
    whole + rest
}

fn assert_told(code: &str, text: &str) {
    for language in others() {
        let told = tell(language, code, text);
        assert_eq!(told.original, None, "{}: {code}: {text}", language.code());
        assert_ne!(told.text, text, "{}: {code}", language.code());
    }
}

#[test]
fn every_error_of_a_protocol_is_told_in_every_language() {
    for (code, text) in SamlError::TEXTS {
        assert_told(code, &filled(text));
    }
    for error in OidcError::ALL {
        assert_told(error.code(), &error.to_string());
    }
}

#[test]
fn what_cannot_be_reached_or_read_is_told_in_every_language() {
    let host = || "idp.example".to_owned();
    let failed = OutboundError::Failed {
        host: host(),
        reason: "connection refused".to_owned(),
    };
    for error in [
        OutboundError::Refused(host()),
        OutboundError::NotPublic(host()),
        OutboundError::NotResolved(host()),
        OutboundError::TimedOut(host()),
        OutboundError::TooLarge(host()),
        OutboundError::Setup(host()),
        failed,
    ] {
        assert_told(error.code(), &error.to_string());
    }
    for what in ["the key set", "the discovery document"] {
        let error = ProviderError::Status { what, status: 503 };
        assert_told(error.code(), &error.to_string());
    }
    assert_told(ProviderError::TooSoon.code(), &ProviderError::TooSoon.to_string());
    for error in [ClaimsError::IdentifierMissing, ClaimsError::TenantMismatch] {
        assert_told(error.code(), &error.to_string());
    }
    for error in [
        AssertionError::TransientSubject,
        AssertionError::SubjectAttribute("uid".to_owned()),
    ] {
        assert_told(error.code(), &error.to_string());
    }
}

#[test]
fn what_the_other_side_said_stands_behind_the_sentence() {
    let told = tell(
        Language::De,
        "provider_access_denied",
        "the identity provider denied access (not assigned)",
    );
    assert_eq!(
        told.text,
        "Der Identitätsanbieter hat den Zugang abgelehnt (not assigned)"
    );
    assert_eq!(told.original, None);
    let told = tell(
        Language::De,
        "provider_access_denied",
        "the identity provider is on holiday",
    );
    assert_eq!(
        told.original.as_deref(),
        Some("the identity provider is on holiday")
    );
}

#[test]
fn every_refusal_has_its_like_with_the_same_values() {
    let places = |template: &str| -> BTreeSet<usize> {
        let values = pieces(template).into_iter().filter_map(|piece| match piece {
            Piece::Value(place, _) => Some(place),
            Piece::Text(_) => None,
        });
        values.collect()
    };
    let english = refusals(Language::En);
    assert!(english.len() > 150, "the file cannot be read");
    for language in Language::ALL {
        let told = refusals(*language);
        assert!(english.keys().eq(told.keys()), "{}", language.code());
        for (code, templates) in english {
            let others = told.get(code).unwrap();
            assert_eq!(templates.len(), others.len(), "{code}");
            for (one, other) in templates.iter().zip(others) {
                assert_eq!(places(one), places(other), "{code}: {other}");
            }
        }
    }
}

fn source(path: &str) -> String {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().map(str::trim);
    lines
        .filter(|line| !line.starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
        .replace("\\\n", "")
}

fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in std::fs::read_dir(root.join(folder)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            found.extend(files(&name));
        } else if path.extension().is_some_and(|kind| kind == "rs") && !name.ends_with("tests.rs") {
            found.push(name);
        }
    }
    found
}

/// Codes that flows give to what they refuse themselves, as they stand there.
#[test]
fn every_code_that_a_flow_gives_to_a_refusal_has_a_sentence() {
    let mut codes = BTreeSet::new();
    for path in files("src/flow") {
        for rest in source(&path).split("Fault::new(").skip(1) {
            let arguments: String = rest.chars().take(300).collect();
            let code = arguments.split(',').nth(1).unwrap_or_default().trim();
            if let Some(code) = code.strip_prefix('"').and_then(|code| code.strip_suffix('"')) {
                codes.insert(code.to_owned());
            }
        }
    }
    assert!(codes.len() >= 5, "{codes:?}");
    let untold: Vec<_> = codes
        .iter()
        .filter(|code| !refusals(Language::En).contains_key(*code))
        .filter(|code| !sentences(Language::En).contains_key(*code))
        .collect();
    assert!(untold.is_empty(), "{untold:?}");
}

/// What a change is called; nothing that is wrong.
const CHANGES: &[&str] = &[
    "{email} at {connection}",
    "application {}",
    "client_secret: (",
    "connection {",
    "scim.tokens.{}: ",
    "certificate {short}",
    "group {",
    "member {} ",
    " at {connection}",
    "{name}: (",
    "organization {id}",
    "domains.{name}: ",
    "user {}",
    "password: (",
    "account {} ({})",
    "no name",
    "status: {",
    "member of {",
    "membership in {",
    "no longer a member",
    "sessions end (",
    " (at byte",
    "; did you mean",
    "{why} ({})",
    "{} ({})",
    "Nothing was changed; see the errors",
    "The organization still has members",
    "A value is out of its bounds",
];

#[test]
fn everything_that_can_be_wrong_with_settings_is_told_in_every_language() {
    let mut paths = files("src/declarative/protocol");
    paths.extend(files("src/declarative/write"));
    paths.extend(files("src/declarative/check"));
    for path in [
        "src/declarative/check.rs",
        "src/declarative/protocol.rs",
        "src/declarative/write.rs",
        "src/flow/configuration.rs",
        "src/flow/defaults.rs",
        "src/branding.rs",
        "src/application_config.rs",
        "../kernel/src/domain.rs",
        "../kernel/src/email.rs",
    ] {
        paths.push(path.to_owned());
    }
    let mut count = 0;
    for path in paths {
        for text in source(&path).split('"').skip(1).step_by(2) {
            let is_change = CHANGES.iter().any(|beginning| text.starts_with(beginning));
            if !text.trim().contains(' ') || text.contains('\n') || is_change {
                continue;
            }
            count += 1;
            // What was probably meant may follow, or not.
            let said = filled(&text.replace("{hint}", ""));
            for language in others() {
                let told = tell_setting(language, &said);
                assert_ne!(told, said, "{}: {path}", language.code());
            }
        }
    }
    assert!(count > 80, "{count}");
}
