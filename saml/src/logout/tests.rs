use super::*;
use crate::authn_request::RequestId;
use crate::dsig::sign_enveloped;
use crate::fixture::*;
use crate::response::{NameId, Trust};
use crate::{SamlError, wire};

fn name_id() -> NameId {
    NameId {
        value: HONEST.into(),
        format: Some("urn:x:format".into()),
        name_qualifier: Some(IDP.into()),
        sp_name_qualifier: Some(SP.into()),
    }
}

fn id() -> RequestId {
    RequestId::from_random([3; 16])
}

fn sessions() -> Vec<String> {
    vec!["_s1".into(), "_s2".into()]
}

/// The provider's request to us, passed on with either binding.
fn request_query(party: &Party) -> String {
    with_request(|r| {
        r.redirect_url(Some("rs"), &party.key)
            .unwrap()
            .query()
            .unwrap()
            .to_owned()
    })
}

fn with_request<R>(f: impl FnOnce(&LogoutRequest<'_>) -> R) -> R {
    let (id, name, sessions) = (id(), name_id(), sessions());
    f(&LogoutRequest {
        id: &id,
        issue_instant: at("2026-11-23T11:59:55Z"),
        not_on_or_after: at("2026-11-23T12:04:55Z"),
        destination: SLO,
        issuer: IDP,
        name_id: &name,
        session_indexes: &sessions,
    })
}

fn with_response<R>(status: LogoutStatus, f: impl FnOnce(&LogoutResponse<'_>) -> R) -> R {
    let id = id();
    f(&LogoutResponse {
        id: &id,
        issue_instant: at("2026-11-23T11:59:55Z"),
        destination: SLO,
        issuer: IDP,
        in_response_to: REQUEST,
        status,
    })
}

fn request_code(received: Received<'_>) -> &'static str {
    verify_logout_request(received, &trust(), &LogoutExpected::new(SLO), now())
        .err()
        .map_or("accepted", |e| e.code())
}

fn signed_post(edit: impl Fn(String) -> String) -> Vec<u8> {
    let xml = with_request(|r| r.post_form(None, &IDP_KEYS.key).unwrap().fields[0].1.clone());
    let xml = String::from_utf8(wire::base64_decode(xml.as_bytes()).unwrap()).unwrap();
    let start = xml.find("<ds:Signature ").unwrap();
    let end = xml.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
    let bare = edit(format!("{}{}", &xml[..start], &xml[end..]));
    let split = bare
        .find("</saml:Issuer>")
        .map_or(bare.find('>').unwrap() + 1, |at| at + "</saml:Issuer>".len());
    form(&sign_enveloped(&bare[..split], &bare[split..], &IDP_KEYS.key).unwrap())
}

#[test]
fn r119_requests_by_redirect_and_post() {
    let query = request_query(&IDP_KEYS);
    let post = with_request(|r| r.post_form(None, &IDP_KEYS.key).unwrap().fields[0].1.clone());
    for received in [Received::Redirect(&query), Received::Post(post.as_bytes())] {
        let verified = verify_logout_request(received, &trust(), &LogoutExpected::new(SLO), now()).unwrap();
        assert_eq!(verified.id(), id().as_str());
        assert_eq!(verified.name_id(), &name_id());
        assert_eq!(verified.session_indexes(), sessions());
        let by_redirect = matches!(received, Received::Redirect(_));
        assert_eq!(verified.relay_state(), by_redirect.then_some("rs"));
        assert_eq!(verified.replay_until(), at("2026-11-23T12:05:55Z"));
    }
}

#[test]
fn r119_responses_by_redirect_and_post() {
    for (status, success, partial) in [
        (LogoutStatus::Success, true, false),
        (LogoutStatus::Partial, true, true),
        (LogoutStatus::Failed, false, false),
    ] {
        let query = with_response(status, |r| {
            r.redirect_url(None, &IDP_KEYS.key)
                .unwrap()
                .query()
                .unwrap()
                .to_owned()
        });
        let post = with_response(status, |r| {
            r.post_form(None, &IDP_KEYS.key).unwrap().fields[0].1.clone()
        });
        for received in [Received::Redirect(&query), Received::Post(post.as_bytes())] {
            let expected = LogoutExpected::new(SLO);
            let verified = verify_logout_response(received, &trust(), &expected, REQUEST, now()).unwrap();
            assert_eq!((verified.is_success(), verified.is_partial()), (success, partial));
            assert_eq!(verified.in_response_to(), REQUEST);
            let other = verify_logout_response(received, &trust(), &expected, "_other", now());
            assert_eq!(other.unwrap_err(), SamlError::InResponseToMismatch);
            let wrong_kind = verify_logout_request(received, &trust(), &expected, now());
            assert_eq!(wrong_kind.unwrap_err().code(), "saml_root_unexpected");
        }
    }
}

#[test]
fn the_signature_is_mandatory() {
    let query = request_query(&IDP_KEYS);
    let (unsigned, _) = query.split_once("&SigAlg=").unwrap();
    assert_eq!(
        request_code(Received::Redirect(unsigned)),
        "saml_signature_missing"
    );
    let (without_value, _) = query.split_once("&Signature=").unwrap();
    assert_eq!(
        request_code(Received::Redirect(without_value)),
        "saml_signature_missing"
    );
    let post = with_request(|r| r.post_form(None, &IDP_KEYS.key).unwrap().fields[0].1.clone());
    let xml = String::from_utf8(wire::base64_decode(post.as_bytes()).unwrap()).unwrap();
    let start = xml.find("<ds:Signature ").unwrap();
    let end = xml.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
    assert_eq!(
        request_code(Received::Post(&form(&format!(
            "{}{}",
            &xml[..start],
            &xml[end..]
        )))),
        "saml_signature_missing"
    );
    let keyless = Trust { keys: &[], ..trust() };
    for received in [
        Received::Redirect(query.as_str()),
        Received::Post(post.as_bytes()),
    ] {
        let error = verify_logout_request(received, &keyless, &LogoutExpected::new(SLO), now()).unwrap_err();
        assert_eq!(error, SamlError::NoTrustedKey);
    }
}

#[test]
fn wrong_keys_and_altered_queries() {
    assert_eq!(
        request_code(Received::Redirect(&request_query(&ATTACKER))),
        "saml_signature_invalid"
    );
    assert_eq!(
        request_code(Received::Redirect(&request_query(&P256))),
        "saml_key_algorithm_mismatch"
    );
    let query = request_query(&IDP_KEYS);
    assert_eq!(request_code(Received::Redirect(&query)), "accepted");
    assert_eq!(
        request_code(Received::Redirect(
            &query.replace("RelayState=rs", "RelayState=rt")
        )),
        "saml_signature_invalid"
    );
    assert_eq!(
        request_code(Received::Redirect(&query.replace("&RelayState=rs", ""))),
        "saml_signature_invalid"
    );
    assert_eq!(
        request_code(Received::Redirect(&format!("{query}&RelayState=x"))),
        "saml_query"
    );
    let sha1 = query.replace("xmldsig-more%23rsa-sha256", "xmldsig%23rsa-sha1");
    assert_eq!(request_code(Received::Redirect(&sha1)), "saml_algorithm_refused");
    // The message is exchanged while the old signature stays.
    let (_, tail) = query.split_once("&RelayState").unwrap();
    let other = with_request(|r| {
        let name = NameId {
            value: EVIL.into(),
            ..name_id()
        };
        let r = LogoutRequest {
            name_id: &name,
            ..r.clone()
        };
        r.redirect_url(None, &ATTACKER.key)
            .unwrap()
            .query()
            .unwrap()
            .to_owned()
    });
    let (message, _) = other.split_once("&SigAlg").unwrap();
    assert_eq!(
        request_code(Received::Redirect(&format!("{message}&RelayState{tail}"))),
        "saml_signature_invalid"
    );
    // As a response parameter the same octets are signed differently.
    assert_eq!(
        request_code(Received::Redirect(
            &query.replace("SAMLRequest=", "SAMLResponse=")
        )),
        "saml_signature_invalid"
    );
}

#[test]
fn other_parameters_and_raw_encodings_are_kept_out_of_the_signature() {
    let query = request_query(&IDP_KEYS);
    assert_eq!(
        request_code(Received::Redirect(&format!("utm=1&{query}&x=y"))),
        "accepted"
    );
    // Re-encoding changes the octets, so a re-encoded query no longer verifies.
    assert_eq!(
        request_code(Received::Redirect(&query.replacen("%2B", "%2b", 1).replacen(
            "RelayState=rs",
            "RelayState=%72s",
            1
        ))),
        "saml_signature_invalid"
    );
}

#[test]
fn zip_bomb_and_garbage_by_redirect() {
    let bomb = wire::deflate(&format!("<a>{}</a>", " ".repeat(5_000_000))).unwrap();
    for (deflated, expected) in [
        (bomb, "saml_inflate_too_large"),
        (b"\xff\xff\xff".to_vec(), "saml_deflate"),
    ] {
        let mut query = format!(
            "SAMLRequest={}&SigAlg={}",
            wire::query_encode(&wire::base64_encode(&deflated)),
            wire::query_encode("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256")
        );
        let signature = IDP_KEYS
            .key
            .sign(IDP_KEYS.key.default_algorithm(), query.as_bytes())
            .unwrap();
        query.push_str("&Signature=");
        query.push_str(&wire::query_encode(&wire::base64_encode(&signature)));
        assert_eq!(request_code(Received::Redirect(&query)), expected);
    }
    assert_eq!(request_code(Received::Redirect("")), "saml_query");
    assert_eq!(
        request_code(Received::Redirect(&"a".repeat(300_000))),
        "saml_too_large"
    );
}

#[test]
fn one_fault_each() {
    assert_eq!(request_code(Received::Post(&signed_post(|x| x))), "accepted");
    let issuer = format!("<saml:Issuer>{IDP}</saml:Issuer>");
    let faults: Vec<(&str, String, &str)> = vec![
        (
            SLO,
            "https://other.example/slo".into(),
            "saml_destination_mismatch",
        ),
        (
            IDP_ISSUER_TEXT,
            ">https://other.example<".into(),
            "saml_issuer_mismatch",
        ),
        (&issuer, String::new(), "saml_issuer_missing"),
        (" Version=\"2.0\"", " Version=\"1.1\"".into(), "saml_version"),
        (
            "NotOnOrAfter=\"2026-11-23T12:04:55Z\"",
            "NotOnOrAfter=\"2026-11-23T11:00:00Z\"".into(),
            "saml_expired",
        ),
        (
            "IssueInstant=\"2026-11-23T11:59:55Z\"",
            "IssueInstant=\"2026-11-23T11:00:00Z\"".into(),
            "saml_too_old",
        ),
        (
            "IssueInstant=\"2026-11-23T11:59:55Z\"",
            "IssueInstant=\"2026-11-23T13:00:00Z\"".into(),
            "saml_issued_in_future",
        ),
        (
            "IssueInstant=\"2026-11-23T11:59:55Z\"",
            "IssueInstant=\"x\"".into(),
            "saml_time_malformed",
        ),
        ("LogoutRequest", "LogoutRequst".into(), "saml_root_unexpected"),
    ];
    for (from, to, expected) in faults {
        let value = signed_post(|x| {
            assert!(x.contains(from), "{from}");
            x.replace(from, &to)
        });
        assert_eq!(request_code(Received::Post(&value)), expected, "{from}");
    }
    let destination = format!(" Destination=\"{SLO}\"");
    assert_eq!(
        request_code(Received::Post(&signed_post(|x| swap(&x, &destination, "")))),
        "saml_destination_missing"
    );
    let without_name = signed_post(|x| {
        let start = x.find("<saml:NameID").unwrap();
        let end = x.find("</saml:NameID>").unwrap() + "</saml:NameID>".len();
        format!("{}{}", &x[..start], &x[end..])
    });
    assert_eq!(
        request_code(Received::Post(&without_name)),
        "saml_name_id_missing"
    );
}

const IDP_ISSUER_TEXT: &str = ">https://idp.example/metadata<";

#[test]
fn wrapped_logout_requests_are_refused() {
    let post = with_request(|r| r.post_form(None, &IDP_KEYS.key).unwrap().fields[0].1.clone());
    let honest = String::from_utf8(wire::base64_decode(post.as_bytes()).unwrap()).unwrap();
    let evil = honest.replace(HONEST, EVIL);
    assert_eq!(request_code(Received::Post(&form(&evil))), "saml_digest_mismatch");
    let wrapped = evil.replace(id().as_str(), "_evil").replace(
        "</samlp:LogoutRequest>",
        &format!("{honest}</samlp:LogoutRequest>"),
    );
    assert_eq!(
        request_code(Received::Post(&form(&wrapped))),
        "saml_signature_misplaced"
    );
    let start = honest.find("<ds:Signature ").unwrap();
    let end = honest.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
    let bare = format!("{}{}", &honest[..start], &honest[end..]);
    let moved = evil.replacen(id().as_str(), "_evil", 1).replace(
        "</ds:Signature>",
        &format!("<ds:Object>{bare}</ds:Object></ds:Signature>"),
    );
    assert_eq!(
        request_code(Received::Post(&form(&moved))),
        "saml_signature_object"
    );
}

#[test]
fn a_long_relay_state_is_echoed_but_not_begun() {
    let long = "x".repeat(200);
    let request = with_request(|r| r.redirect_url(Some(&long), &IDP_KEYS.key).map(|_| ()));
    assert_eq!(request, Err(SamlError::RelayStateTooLong));
    let echoed = with_response(LogoutStatus::Success, |r| {
        r.redirect_url(Some(&long), &IDP_KEYS.key).map(|_| ())
    });
    assert_eq!(echoed, Ok(()));
    let absurd = "x".repeat(1025);
    let echoed = with_response(LogoutStatus::Success, |r| {
        r.post_form(Some(&absurd), &IDP_KEYS.key).map(|_| ())
    });
    assert_eq!(echoed, Err(SamlError::RelayStateTooLong));
}
