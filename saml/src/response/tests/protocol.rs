//! Genuinely signed responses that say one wrong thing. Each departs from an accepted document in one place
//! and is checked with the signature on the assertion and on the Response.

use crate::fixture::*;
use crate::response::{Expected, verify};

/// Applies one edit before signing, with either signature, and expects one code.
fn one_fault(from: &str, to: &str, expected_code: &str) {
    let edit = |text: &str| swap(text, from, to);
    let in_assertion = assertion().matches(from).count() == 1;
    let in_response = wrap(&assertion()).matches(from).count() == 1;
    assert!(in_assertion || in_response, "the fault touches nothing: {from}");
    if in_assertion {
        assert_eq!(
            code(&signed_assertion(edit)),
            expected_code,
            "assertion: {from} -> {to}"
        );
    }
    if in_response {
        assert_eq!(
            code(&signed_response(edit)),
            expected_code,
            "response: {from} -> {to}"
        );
    }
}

#[test]
fn the_starting_point_is_accepted() {
    assert_eq!(code(&signed_assertion(str::to_owned)), "accepted");
    assert_eq!(code(&signed_response(str::to_owned)), "accepted");
}

fn code_expecting(xml: &str, expecting: &Expected<'_>) -> &'static str {
    verify(&form(xml), &trust(), expecting, now())
        .err()
        .map_or("accepted", |e| e.code())
}

#[test]
fn r30_audience() {
    let audience = format!("<saml:Audience>{SP}</saml:Audience>");
    one_fault(
        &audience,
        "<saml:Audience>https://other.example/sp</saml:Audience>",
        "saml_audience_mismatch",
    );
    one_fault(
        &audience,
        &format!("<saml:Audience>{SP}/</saml:Audience>"),
        "saml_audience_mismatch",
    );
    one_fault(
        &audience,
        &format!("<saml:Audience>{}</saml:Audience>", SP.to_uppercase()),
        "saml_audience_mismatch",
    );
    one_fault(&audience, "", "saml_audience_mismatch");
    let restriction = format!("<saml:AudienceRestriction>{audience}</saml:AudienceRestriction>");
    one_fault(&restriction, "", "saml_audience_missing");
    // Every restriction must hold, but within one any audience will do.
    let second = "<saml:AudienceRestriction><saml:Audience>https://other.example/sp</saml:Audience></saml:AudienceRestriction>";
    one_fault(
        &restriction,
        &format!("{restriction}{second}"),
        "saml_audience_mismatch",
    );
    one_fault(
        &audience,
        &format!("<saml:Audience>https://other.example/sp</saml:Audience>{audience}"),
        "accepted",
    );
}

#[test]
fn recipient_and_destination() {
    one_fault(
        &format!(" Recipient=\"{ACS}\""),
        " Recipient=\"https://other.example/acs\"",
        "saml_recipient_mismatch",
    );
    one_fault(
        &format!(" Recipient=\"{ACS}\""),
        &format!(" Recipient=\"{ACS}?x=1\""),
        "saml_recipient_mismatch",
    );
    one_fault(&format!(" Recipient=\"{ACS}\""), "", "saml_recipient_missing");
    let destination = format!(" Destination=\"{ACS}\"");
    one_fault(
        &destination,
        " Destination=\"https://other.example/acs\"",
        "saml_destination_mismatch",
    );
    one_fault(&destination, " Destination=\"\"", "saml_destination_mismatch");
    assert_eq!(
        code(&signed_response(|r| swap(r, &destination, ""))),
        "saml_destination_missing"
    );
    // Without a signature of its own the Response may leave it out: the Recipient inside is signed.
    assert_eq!(
        code(&swap(&signed_assertion(str::to_owned), &destination, "")),
        "accepted"
    );
    assert_eq!(
        code(&swap(
            &signed_assertion(str::to_owned),
            &destination,
            " Destination=\"https://x.example\""
        )),
        "saml_destination_mismatch"
    );
}

#[test]
fn issuer_of_response_and_assertion() {
    let issuer = format!("<saml:Issuer>{IDP}</saml:Issuer>");
    let other = "<saml:Issuer>https://other.example/idp</saml:Issuer>";
    let nth = |xml: &str, n: usize, to: &str| {
        let (at, _) = xml.match_indices(&issuer).nth(n).unwrap();
        format!("{}{to}{}", &xml[..at], &xml[at + issuer.len()..])
    };
    // First in the document is the Response's, second the assertion's.
    for n in [0, 1] {
        assert_eq!(
            code(&signed_response(|r| nth(r, n, other))),
            "saml_issuer_mismatch"
        );
        assert_eq!(
            code(&signed_response(|r| nth(
                r,
                n,
                &format!("<saml:Issuer>{IDP} </saml:Issuer>")
            ))),
            "saml_issuer_mismatch"
        );
    }
    assert_eq!(
        code(&nth(&signed_assertion(str::to_owned), 0, other)),
        "saml_issuer_mismatch"
    );
    assert_eq!(
        code(&signed_assertion(|a| nth(a, 0, other))),
        "saml_issuer_mismatch"
    );
    let typed = format!(
        "<saml:Issuer Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent\">{IDP}</saml:Issuer>"
    );
    assert_eq!(
        code(&signed_response(|r| nth(r, 1, &typed))),
        "saml_issuer_mismatch"
    );
    assert_eq!(code(&signed_response(|r| nth(r, 1, ""))), "saml_issuer_missing");
    let no_outer = sign_without_outer_issuer();
    assert_eq!(code(&no_outer), "saml_issuer_missing");
}

/// A signed Response that names no issuer of its own: the signature then comes first.
fn sign_without_outer_issuer() -> String {
    let issuer = format!("<saml:Issuer>{IDP}</saml:Issuer>");
    let xml = wrap(&assertion());
    let at = xml.find(&issuer).unwrap();
    crate::dsig::sign_enveloped(&xml[..at], &xml[at + issuer.len()..], &IDP_KEYS.key).unwrap()
}

#[test]
fn connection_decides_the_issuer() {
    // A key of another connection signs a message that names this one, and the other way round.
    let xml = signed_response(str::to_owned);
    let other_entity = crate::response::Trust {
        idp_entity_id: "https://other.example/idp",
        ..trust()
    };
    assert_eq!(
        verify(&form(&xml), &other_entity, &expected(), now())
            .unwrap_err()
            .code(),
        "saml_issuer_mismatch"
    );
}

#[test]
fn r30_time_window() {
    let end = "NotOnOrAfter=\"2026-11-23T12:04:55Z\"><saml:AudienceRestriction>";
    one_fault(
        end,
        "NotOnOrAfter=\"2026-11-23T11:58:59Z\"><saml:AudienceRestriction>",
        "saml_expired",
    );
    one_fault(end, "><saml:AudienceRestriction>", "accepted");
    one_fault(
        end,
        "NotOnOrAfter=\"soon\"><saml:AudienceRestriction>",
        "saml_time_malformed",
    );
    one_fault(
        "NotBefore=\"2026-11-23T11:59:25Z\"",
        "NotBefore=\"2026-11-23T12:01:01Z\"",
        "saml_not_yet_valid",
    );
    one_fault(
        "NotBefore=\"2026-11-23T11:59:25Z\"",
        "NotBefore=\"2026-11-23T12:00:59Z\"",
        "accepted",
    );
    let confirmed = "NotOnOrAfter=\"2026-11-23T12:04:55Z\" Recipient";
    one_fault(
        confirmed,
        "NotOnOrAfter=\"2026-11-23T11:58:59Z\" Recipient",
        "saml_confirmation_expired",
    );
    one_fault(confirmed, "Recipient", "saml_confirmation_unbounded");
    one_fault(
        confirmed,
        &format!("NotBefore=\"2026-11-23T12:10:00Z\" {confirmed}"),
        "saml_not_yet_valid",
    );
    one_fault(
        "SessionNotOnOrAfter=\"2026-11-23T20:00:00Z\"",
        "SessionNotOnOrAfter=\"2026-11-23T11:00:00Z\"",
        "saml_session_expired",
    );
    let issued = |at: &str| {
        signed_response(|r| {
            r.replace(
                "IssueInstant=\"2026-11-23T11:59:55Z\"",
                &format!("IssueInstant=\"{at}\""),
            )
        })
    };
    assert_eq!(code(&issued("2026-11-23T12:01:01Z")), "saml_issued_in_future");
    assert_eq!(code(&issued("2026-11-23T11:40:00Z")), "saml_too_old");
    assert_eq!(code(&issued("yesterday")), "saml_time_malformed");
}

#[test]
fn the_clock_skew_is_capped() {
    let xml = signed_response(str::to_owned);
    let mut generous = expected();
    generous.clock_skew = jiff::SignedDuration::from_hours(48);
    let late = verify(&form(&xml), &trust(), &generous, at("2026-11-23T12:09:56Z"));
    assert_eq!(late.unwrap_err().code(), "saml_expired");
    generous.clock_skew = jiff::SignedDuration::from_hours(-48);
    assert_eq!(code_expecting(&xml, &generous), "accepted");
}

#[test]
fn in_response_to() {
    let confirmation = format!(" InResponseTo=\"{REQUEST}\"/>");
    one_fault(
        &confirmation,
        " InResponseTo=\"_other\"/>",
        "saml_in_response_to_mismatch",
    );
    one_fault(&confirmation, "/>", "saml_in_response_to_mismatch");
    let outer = format!(" Destination=\"{ACS}\" InResponseTo=\"{REQUEST}\"");
    one_fault(
        &outer,
        &format!(" Destination=\"{ACS}\" InResponseTo=\"_other\""),
        "saml_in_response_to_mismatch",
    );
    one_fault(
        &outer,
        &format!(" Destination=\"{ACS}\""),
        "saml_in_response_to_mismatch",
    );

    let xml = signed_response(str::to_owned);
    let mut none = expected();
    none.in_response_to = None;
    assert_eq!(code_expecting(&xml, &none), "saml_in_response_to_mismatch");
    none.allow_unsolicited = true;
    assert_eq!(code_expecting(&xml, &none), "saml_in_response_to_mismatch");
}

#[test]
fn r117_unsolicited_is_off_by_default() {
    let mut unsolicited = spec();
    unsolicited.in_response_to = None;
    let xml = crate::issue::issue_response(&unsolicited, &signing(true, true), None).unwrap();
    let mut expecting = expected();
    assert_eq!(code_expecting(&xml, &expecting), "saml_in_response_to_mismatch");
    expecting.in_response_to = None;
    assert_eq!(code_expecting(&xml, &expecting), "saml_unsolicited");
    // A response that pretends to be unsolicited around an assertion that answers somebody's request.
    let mixed = swap(
        &signed_assertion(str::to_owned),
        &format!(" Destination=\"{ACS}\" InResponseTo=\"{REQUEST}\""),
        "",
    );
    expecting.allow_unsolicited = true;
    assert_eq!(code_expecting(&mixed, &expecting), "saml_in_response_to_mismatch");
}

#[test]
fn status() {
    let success = "urn:oasis:names:tc:SAML:2.0:status:Success";
    one_fault(
        success,
        "urn:oasis:names:tc:SAML:2.0:status:Responder",
        "saml_status",
    );
    one_fault(success, "", "saml_status");
    // An honest refusal of the identity provider is unsigned, has no assertion and says why.
    let refusal = wrap("").replace(
        &format!("<samlp:StatusCode Value=\"{success}\"/>"),
        "<samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Responder\"><samlp:StatusCode \
         Value=\"urn:oasis:names:tc:SAML:2.0:status:AuthnFailed\"/></samlp:StatusCode>\
         <samlp:StatusMessage>not today</samlp:StatusMessage>",
    );
    let error = check(&refusal).unwrap_err();
    assert_eq!(error.code(), "saml_status");
    let text = error.to_string();
    assert!(
        text.contains("Responder") && text.contains("AuthnFailed") && text.contains("not today"),
        "{text}"
    );
}

#[test]
fn version() {
    let response = |v: &str| {
        format!(
            "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"{}\"{v}",
            response_id()
        )
    };
    for to in [" Version=\"1.1\"", " Version=\"2.0 \"", ""] {
        assert_eq!(
            code(&signed_response(|r| swap(
                r,
                &response(" Version=\"2.0\""),
                &response(to)
            ))),
            "saml_version"
        );
        let id = format!(" ID=\"{}\"", assertion_id());
        assert_eq!(
            code(&signed_assertion(|a| swap(
                a,
                &format!("{id} Version=\"2.0\""),
                &format!("{id}{to}")
            ))),
            "saml_version"
        );
    }
}

#[test]
fn conditions() {
    for unknown in [
        "<saml:Condition/>",
        "<x:Only xmlns:x=\"urn:x\"/>",
        "<saml:Audience/>",
    ] {
        one_fault(
            "</saml:Conditions>",
            &format!("{unknown}</saml:Conditions>"),
            "saml_condition_unknown",
        );
    }
    one_fault(
        "</saml:Conditions>",
        "<saml:OneTimeUse/><saml:ProxyRestriction Count=\"0\"/></saml:Conditions>",
        "accepted",
    );
    let without = |text: &str| {
        let start = text.find("<saml:Conditions ").unwrap();
        let end = text.find("</saml:Conditions>").unwrap() + "</saml:Conditions>".len();
        format!("{}{}", &text[..start], &text[end..])
    };
    assert_eq!(code(&signed_assertion(without)), "saml_conditions_missing");
    assert_eq!(code(&signed_response(without)), "saml_conditions_missing");
}

#[test]
fn subject_and_confirmation() {
    let name_id = format!(
        "<saml:NameID Format=\"{}\">{HONEST}</saml:NameID>",
        crate::attributes::FORMAT_PERSISTENT
    );
    one_fault(&name_id, "", "saml_name_id_missing");
    one_fault(&name_id, "<saml:NameID/>", "saml_name_id_missing");
    one_fault(
        &name_id,
        "<saml:NameID>a<x/></saml:NameID>",
        "saml_element_unexpected",
    );
    one_fault(&name_id, &format!("{name_id}{name_id}"), "saml_element_repeated");
    one_fault(
        &name_id,
        "<saml:NameID>a&#10;b</saml:NameID>",
        "saml_name_id_refused",
    );
    one_fault(
        &name_id,
        &format!("<saml:NameID>{}</saml:NameID>", "a".repeat(1025)),
        "saml_name_id_refused",
    );
    let bearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
    one_fault(
        bearer,
        "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches",
        "saml_bearer_missing",
    );
    one_fault(
        bearer,
        "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key",
        "saml_bearer_missing",
    );
    // One good bearer confirmation among others is enough.
    let other = "<saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\"><saml:SubjectConfirmationData Recipient=\"https://x.example\"/></saml:SubjectConfirmation>";
    one_fault("</saml:NameID>", &format!("</saml:NameID>{other}"), "accepted");
}

#[test]
fn authn_statement() {
    let without = |text: &str| {
        let start = text.find("<saml:AuthnStatement ").unwrap();
        let end = text.find("</saml:AuthnStatement>").unwrap() + "</saml:AuthnStatement>".len();
        format!("{}{}", &text[..start], &text[end..])
    };
    assert_eq!(code(&signed_assertion(without)), "saml_authn_statement_missing");
    assert_eq!(code(&signed_response(without)), "saml_authn_statement_missing");
    one_fault(
        " AuthnInstant=\"2026-11-23T11:59:50Z\"",
        "",
        "saml_attribute_missing",
    );

    let xml = signed_response(str::to_owned);
    let mut fresh = expected();
    fresh.authenticated_after = Some(at("2026-11-23T12:00:49Z"));
    assert_eq!(code_expecting(&xml, &fresh), "accepted");
    fresh.authenticated_after = Some(at("2026-11-23T12:00:51Z"));
    assert_eq!(code_expecting(&xml, &fresh), "saml_authn_too_old");

    let strong = ["https://refeds.org/profile/mfa".to_owned()];
    let mut demanding = expected();
    demanding.authn_contexts = &strong;
    assert_eq!(code_expecting(&xml, &demanding), "saml_authn_context_refused");
    let given = ["urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport".to_owned()];
    demanding.authn_contexts = &given;
    assert_eq!(code_expecting(&xml, &demanding), "accepted");
}

#[test]
fn errors_do_not_repeat_attribute_values() {
    let xml = signed_response(|r| {
        swap(
            r,
            &format!("<saml:Audience>{SP}</saml:Audience>"),
            "<saml:Audience>other</saml:Audience>",
        )
    });
    let error = check(&xml).unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("other") && !text.contains("ada@home-lab.example") && !text.contains(HONEST));
}
