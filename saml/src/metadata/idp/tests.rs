use super::*;
use crate::fixture::*;
use crate::issue::{IdentityProvider, idp_metadata};
use crate::metadata::{ServiceProvider, sp_metadata};

fn provider(certificates: &[Certificate]) -> String {
    idp_metadata(&IdentityProvider {
        entity_id: IDP,
        sso_url: "https://idp.example/sso",
        slo_url: Some("https://idp.example/slo"),
        certificates,
        want_authn_requests_signed: true,
    })
}

fn code(text: &str) -> &'static str {
    IdpMetadata::parse(text.as_bytes())
        .err()
        .map_or("accepted", |e| e.code())
}

#[test]
fn r182_metadata_with_several_certificates() {
    let certificates = [
        IDP_KEYS.certificate.clone(),
        P256.certificate.clone(),
        IDP_KEYS.certificate.clone(),
    ];
    let parsed = IdpMetadata::parse(provider(&certificates).as_bytes()).unwrap();
    assert_eq!(parsed.entity_id, IDP);
    assert_eq!(parsed.sso_redirect.as_deref(), Some("https://idp.example/sso"));
    assert_eq!(parsed.sso_post.as_deref(), Some("https://idp.example/sso"));
    assert_eq!(
        parsed.slo_redirect.as_ref().map(Endpoint::for_responses),
        Some("https://idp.example/slo")
    );
    assert_eq!(parsed.signing_certificates, certificates[..2]);
    assert!(parsed.encryption_certificates.is_empty());
    assert!(parsed.want_authn_requests_signed);
    assert_eq!(parsed.name_id_formats.len(), 2);
    assert!(!parsed.is_expired(now()));
}

#[test]
fn a_certificate_without_use_serves_both() {
    let text = provider(std::slice::from_ref(&IDP_KEYS.certificate)).replace(" use=\"signing\"", "");
    let parsed = IdpMetadata::parse(text.as_bytes()).unwrap();
    assert_eq!(parsed.signing_certificates, parsed.encryption_certificates);
    assert_eq!(parsed.signing_certificates.len(), 1);
}

#[test]
fn the_shortest_validity_holds() {
    let text = provider(std::slice::from_ref(&IDP_KEYS.certificate))
        .replace(
            "<md:EntityDescriptor ",
            "<md:EntityDescriptor validUntil=\"2026-11-24T00:00:00Z\" cacheDuration=\"PT24H\" ",
        )
        .replace(
            "<md:IDPSSODescriptor ",
            "<md:IDPSSODescriptor validUntil=\"2026-11-23T11:00:00Z\" cacheDuration=\"PT1H\" ",
        );
    let parsed = IdpMetadata::parse(text.as_bytes()).unwrap();
    assert_eq!(parsed.valid_until, Some(at("2026-11-23T11:00:00Z")));
    assert_eq!(parsed.cache_duration.map(|d| d.as_secs()), Some(3600));
    assert!(parsed.is_expired(now()));
}

#[test]
fn real_world_extras_are_tolerated() {
    let text = provider(std::slice::from_ref(&IDP_KEYS.certificate));
    let text = text
        .replace("<md:IDPSSODescriptor", "<!-- generated --><md:Extensions><x:y xmlns:x=\"urn:x\"/></md:Extensions><md:IDPSSODescriptor")
        .replace(
            "<md:SingleLogoutService ",
            "<md:SingleLogoutService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:SOAP\" Location=\"https://idp.example/soap\"/><md:SingleLogoutService ResponseLocation=\"https://idp.example/slo-done\" ",
        )
        .replace(
            "</md:EntityDescriptor>",
            "<md:Organization><md:OrganizationDisplayName xml:lang=\"en\">Home Lab</md:OrganizationDisplayName></md:Organization></md:EntityDescriptor>",
        );
    let parsed = IdpMetadata::parse(format!("\u{feff}{text}").as_bytes()).unwrap();
    assert_eq!(parsed.display_name.as_deref(), Some("Home Lab"));
    let slo = parsed.slo_redirect.unwrap();
    assert_eq!(
        (slo.location.as_str(), slo.for_responses()),
        ("https://idp.example/slo", "https://idp.example/slo-done")
    );
}

#[test]
fn aggregates_need_one_provider_or_a_name() {
    let body = |id: &str| {
        let text = provider(std::slice::from_ref(&IDP_KEYS.certificate)).replace(IDP, id);
        text[text.find("<md:EntityDescriptor").unwrap()..].to_owned()
    };
    let all = |inner: &str| {
        format!(
            "<md:EntitiesDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\">{inner}</md:EntitiesDescriptor>"
        )
    };
    let sp = "<md:EntityDescriptor entityID=\"https://sp.example\"><md:SPSSODescriptor protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\"/></md:EntityDescriptor>";
    let one = all(&format!("{sp}{}", all(&body("https://a.example"))));
    assert_eq!(
        IdpMetadata::parse(one.as_bytes()).unwrap().entity_id,
        "https://a.example"
    );
    let two = all(&format!(
        "{}{}",
        body("https://a.example"),
        body("https://b.example")
    ));
    assert_eq!(code(&two), "saml_metadata_several_idps");
    assert_eq!(
        IdpMetadata::parse_entity(two.as_bytes(), Some("https://b.example"))
            .unwrap()
            .entity_id,
        "https://b.example"
    );
    assert_eq!(
        IdpMetadata::parse_entity(two.as_bytes(), Some("https://c.example"))
            .unwrap_err()
            .code(),
        "saml_metadata_no_idp"
    );
    assert_eq!(code(&all(sp)), "saml_metadata_no_idp");
}

#[test]
fn broken_metadata_has_its_own_codes() {
    let good = provider(std::slice::from_ref(&IDP_KEYS.certificate));
    assert_eq!(code(&good), "accepted");
    assert_eq!(code(&provider(&[])), "saml_metadata_no_certificate");
    assert_eq!(
        code(&good.replace(" use=\"signing\"", " use=\"encryption\"")),
        "saml_metadata_no_certificate"
    );
    assert_eq!(
        code(&good.replace("SingleSignOnService", "ArtifactResolutionService")),
        "saml_metadata_no_endpoint"
    );
    assert_eq!(
        code(&good.replace("https://idp.example/sso", "javascript:alert(1)")),
        "saml_url_malformed"
    );
    assert_eq!(
        code(&good.replace("https://idp.example/slo", "file:///etc/passwd")),
        "saml_url_malformed"
    );
    assert_eq!(
        code(&good.replace("<ds:X509Certificate>MII", "<ds:X509Certificate>AAA")),
        "saml_certificate_malformed"
    );
    assert_eq!(
        code(&good.replace("SAML:2.0:protocol", "SAML:1.1:protocol")),
        "saml_metadata_no_idp"
    );
    assert_eq!(
        code(&good.replace(&format!(" entityID=\"{IDP}\""), "")),
        "saml_attribute_missing"
    );
    assert_eq!(code(&format!("<!DOCTYPE x>{good}")), "saml_doctype");
    let (_, body) = good.split_once("?>").unwrap();
    assert_eq!(
        code(&format!("<!DOCTYPE x [<!ENTITY e 'x'>]>{body}")),
        "saml_doctype"
    );
    assert_eq!(code("<html><body>Sign in</body></html>"), "saml_root_unexpected");
    assert_eq!(code("{\"issuer\":\"x\"}"), "saml_malformed");
    assert_eq!(code(&" ".repeat(3 << 20)), "saml_too_large");
    assert_eq!(
        IdpMetadata::parse(b"\xff\xfe").unwrap_err().code(),
        "saml_not_utf8"
    );
}

#[test]
fn service_provider_metadata_is_deterministic_and_well_formed() {
    let formats = ["urn:oasis:names:tc:SAML:2.0:nameid-format:persistent".to_owned()];
    let certificates = [SP_KEYS.certificate.clone(), P256.certificate.clone()];
    let sp = ServiceProvider {
        entity_id: "https://provost.example/a?b=1&c=\"x\"",
        acs_url: ACS,
        slo_url: Some(SLO),
        signing_certificates: &certificates,
        encryption_certificates: &certificates[..1],
        authn_requests_signed: true,
        want_assertions_signed: true,
        name_id_formats: &formats,
        allow_cbc: false,
    };
    let text = sp_metadata(&sp);
    assert_eq!(text, sp_metadata(&sp));
    let tree = Tree::parse(&text, &Limits::METADATA, Dialect::Metadata).unwrap();
    assert_eq!(
        tree.root().attr("entityID"),
        Some("https://provost.example/a?b=1&c=\"x\"")
    );
    let role = tree.root().need_child(names::MD, "SPSSODescriptor").unwrap();
    // The schema fixes this order (metadata 2.4.2 and 2.4.4).
    let order: Vec<_> = role.children().map(Node::local).collect();
    assert_eq!(
        order,
        [
            "KeyDescriptor",
            "KeyDescriptor",
            "KeyDescriptor",
            "SingleLogoutService",
            "SingleLogoutService",
            "NameIDFormat",
            "AssertionConsumerService"
        ]
    );
    assert_eq!(role.attr("AuthnRequestsSigned"), Some("true"));
    assert_eq!(role.attr("WantAssertionsSigned"), Some("true"));
    let acs = role.need_child(names::MD, "AssertionConsumerService").unwrap();
    assert_eq!(
        (acs.attr("Location"), acs.attr("Binding")),
        (Some(ACS), Some(names::BINDING_POST))
    );
    // With its hyphen, which no base64 of a certificate has.
    assert!(!text.contains("-cbc"));
    assert!(
        sp_metadata(&ServiceProvider {
            allow_cbc: true,
            ..sp
        })
        .contains("aes128-cbc")
    );
}
