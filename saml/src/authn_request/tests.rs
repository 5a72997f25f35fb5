use super::*;
use crate::fixture::*;
use crate::issue::parse_authn_request;
use crate::logout::Received;

fn request(id: &RequestId) -> AuthnRequest<'_> {
    AuthnRequest {
        id,
        issue_instant: now(),
        destination: "https://idp.example/sso?tenant=a&x=%20",
        acs_url: ACS,
        issuer: SP,
        name_id_format: Some("urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"),
        force_authn: true,
        is_passive: false,
        login_hint: Some("ada@home-lab.example"),
        requested_authn_context: &[],
    }
}

#[test]
fn the_request_says_what_was_asked() {
    let id = RequestId::from_random([0xab; 16]);
    assert_eq!(id.as_str(), "_abababababababababababababababab");
    let url = request(&id).redirect_url(Some("r&s=1"), None).unwrap();
    let query = url.query().unwrap();
    assert!(query.starts_with("tenant=a&x=%20&SAMLRequest="), "{query}");
    let received = parse_authn_request(Received::Redirect(query), None).unwrap();
    assert_eq!(received.id, id.as_str());
    assert_eq!(received.issuer, SP);
    assert_eq!(received.acs_url.as_deref(), Some(ACS));
    assert_eq!(
        received.destination.as_deref(),
        Some("https://idp.example/sso?tenant=a&x=%20")
    );
    assert_eq!(received.login_hint.as_deref(), Some("ada@home-lab.example"));
    assert_eq!(received.relay_state.as_deref(), Some("r&s=1"));
    assert!(received.force_authn && !received.is_passive && !received.signed);
}

#[test]
fn signed_requests_by_redirect_and_post() {
    let id = RequestId::from_random([1; 16]);
    for party in [&*SP_KEYS, &*P256, &*P384] {
        let keys = [party.verifying.clone()];
        let other = [
            ATTACKER.verifying.clone(),
            P256.verifying.clone(),
            P384.verifying.clone(),
        ];
        let url = request(&id).redirect_url(Some("rs"), Some(&party.key)).unwrap();
        let query = url.query().unwrap();
        assert!(
            parse_authn_request(Received::Redirect(query), Some(&keys))
                .unwrap()
                .signed
        );
        for (from, to) in [("RelayState=rs", "RelayState=rt"), ("SigAlg=", "SigAlg=x")] {
            assert!(parse_authn_request(Received::Redirect(&query.replace(from, to)), Some(&keys)).is_err());
        }
        let form = request(&id).post_form(Some("rs"), Some(&party.key)).unwrap();
        assert_eq!(form.fields[1], ("RelayState", "rs".to_owned()));
        let value = form.fields[0].1.as_bytes();
        assert!(
            parse_authn_request(Received::Post(value), Some(&keys))
                .unwrap()
                .signed
        );
        let strangers: Vec<_> = other
            .into_iter()
            .filter(|k| k.fingerprint_sha256() != keys[0].fingerprint_sha256())
            .collect();
        assert!(parse_authn_request(Received::Post(value), Some(&strangers)).is_err());
        assert!(parse_authn_request(Received::Redirect(query), Some(&strangers)).is_err());
    }
    let unsigned = request(&id).post_form(None, None).unwrap();
    let keys = [SP_KEYS.verifying.clone()];
    let error =
        parse_authn_request(Received::Post(unsigned.fields[0].1.as_bytes()), Some(&keys)).unwrap_err();
    assert_eq!(error, SamlError::SignatureMissing);
}

#[test]
fn values_cannot_break_out_of_the_xml() {
    let id = RequestId::from_random([1; 16]);
    let mut hostile = request(&id);
    hostile.login_hint = Some("</saml:NameID></saml:Subject><x/>\"&");
    let contexts = ["a<b".to_owned()];
    hostile.requested_authn_context = &contexts;
    let form = hostile.post_form(None, Some(&SP_KEYS.key)).unwrap();
    let keys = [SP_KEYS.verifying.clone()];
    let received = parse_authn_request(Received::Post(form.fields[0].1.as_bytes()), Some(&keys)).unwrap();
    assert_eq!(
        received.login_hint.as_deref(),
        Some("</saml:NameID></saml:Subject><x/>\"&")
    );
}

#[test]
fn relay_state_and_address_are_checked() {
    let id = RequestId::from_random([1; 16]);
    let long = "x".repeat(81);
    assert_eq!(
        request(&id).redirect_url(Some(&long), None).unwrap_err(),
        SamlError::RelayStateTooLong
    );
    assert_eq!(
        request(&id).post_form(Some(&long), None).unwrap_err(),
        SamlError::RelayStateTooLong
    );
    assert!(request(&id).redirect_url(Some(&"x".repeat(80)), None).is_ok());
    for bad in [
        "javascript:alert(1)",
        "/relative",
        "ftp://idp.example/",
        "data:text/html,x",
        "",
    ] {
        let mut wrong = request(&id);
        wrong.destination = bad;
        assert_eq!(
            wrong.redirect_url(None, None).unwrap_err(),
            SamlError::UrlMalformed,
            "{bad}"
        );
        assert_eq!(
            wrong.post_form(None, None).unwrap_err(),
            SamlError::UrlMalformed,
            "{bad}"
        );
    }
}
