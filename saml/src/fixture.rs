//! Test bench shared by the crate's tests: parties with fresh keys, one honest sign-in, and a forge that
//! signs any document in place. Compiled for tests only.

use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SignatureAlgorithm as RcgenAlgorithm};

use crate::attributes::FORMAT_PERSISTENT;
use crate::authn_request::RequestId;
use crate::dsig::{Canonicalization, DigestAlgorithm};
use crate::issue::{Encryption, KeyTransport, ResponseSpec, Signing};
use crate::key::{Certificate, DecryptionKey, SignatureAlgorithm, SigningKey, VerifyingKey};
use crate::response::{self, Attribute, Expected, NameId, Trust, VerifiedAssertion};
use crate::xml::{Dialect, Node, Tree, names};
use crate::{ContentCipher, Limits, SamlError, wire};

pub(crate) const IDP: &str = "https://idp.example/metadata";
pub(crate) const SP: &str = "https://provost.example/sso/c1/saml/metadata";
pub(crate) const ACS: &str = "https://provost.example/sso/c1/saml/acs";
pub(crate) const SLO: &str = "https://provost.example/sso/c1/saml/slo";
pub(crate) const REQUEST: &str = "_request1";
pub(crate) const HONEST: &str = "ada-7f3a";
pub(crate) const EVIL: &str = "root-0000";

/// A party with a key pair and a self-signed certificate.
pub(crate) struct Party {
    pub(crate) key: SigningKey,
    pub(crate) certificate: Certificate,
    pub(crate) verifying: VerifyingKey,
    pub(crate) pkcs8: Vec<u8>,
}

fn party(name: &str, algorithm: &'static RcgenAlgorithm) -> Party {
    let pair = KeyPair::generate_for(algorithm).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let certificate = Certificate::from_der(params.self_signed(&pair).unwrap().der()).unwrap();
    let pkcs8 = pair.serialize_der();
    Party {
        key: SigningKey::from_pkcs8_der(&pkcs8).unwrap(),
        verifying: VerifyingKey::from_certificate(&certificate).unwrap(),
        certificate,
        pkcs8,
    }
}

pub(crate) static IDP_KEYS: LazyLock<Party> = LazyLock::new(|| party("idp", &rcgen::PKCS_RSA_SHA256));
pub(crate) static ATTACKER: LazyLock<Party> = LazyLock::new(|| party("idp", &rcgen::PKCS_RSA_SHA256));
pub(crate) static SP_KEYS: LazyLock<Party> = LazyLock::new(|| party("sp", &rcgen::PKCS_RSA_SHA256));
pub(crate) static P256: LazyLock<Party> = LazyLock::new(|| party("p256", &rcgen::PKCS_ECDSA_P256_SHA256));
pub(crate) static P384: LazyLock<Party> = LazyLock::new(|| party("p384", &rcgen::PKCS_ECDSA_P384_SHA384));
pub(crate) static SP_DECRYPTION: LazyLock<[DecryptionKey; 1]> =
    LazyLock::new(|| [DecryptionKey::from_pkcs8_der(&SP_KEYS.pkcs8).unwrap()]);
static IDP_TRUSTED: LazyLock<[VerifyingKey; 1]> = LazyLock::new(|| [IDP_KEYS.verifying.clone()]);

static RESPONSE_ID: LazyLock<RequestId> = LazyLock::new(|| RequestId::from_random([1; 16]));
static ASSERTION_ID: LazyLock<RequestId> = LazyLock::new(|| RequestId::from_random([2; 16]));
static NAME_ID: LazyLock<NameId> = LazyLock::new(|| NameId {
    value: HONEST.into(),
    format: Some(FORMAT_PERSISTENT.into()),
    name_qualifier: None,
    sp_name_qualifier: None,
});
static ATTRIBUTES: LazyLock<Vec<Attribute>> = LazyLock::new(|| {
    let attribute = |name: &str, values: &[&str]| Attribute {
        name: name.into(),
        name_format: None,
        friendly_name: None,
        values: values.iter().map(|v| (*v).to_owned()).collect(),
    };
    vec![
        attribute("emailaddress", &["ada@home-lab.example"]),
        attribute("groups", &["Admin", "Lab & <Test>"]),
    ]
});

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The present moment of the tests.
pub(crate) fn now() -> Timestamp {
    at("2026-11-23T12:00:00Z")
}

pub(crate) fn response_id() -> &'static str {
    RESPONSE_ID.as_str()
}

pub(crate) fn assertion_id() -> &'static str {
    ASSERTION_ID.as_str()
}

/// The honest sign-in that every attack departs from.
pub(crate) fn spec() -> ResponseSpec<'static> {
    ResponseSpec {
        response_id: &RESPONSE_ID,
        assertion_id: &ASSERTION_ID,
        issue_instant: at("2026-11-23T11:59:55Z"),
        lifetime: SignedDuration::from_mins(5),
        issuer: IDP,
        acs_url: ACS,
        audience: SP,
        in_response_to: Some(REQUEST),
        name_id: &NAME_ID,
        session_index: "_session1",
        session_not_on_or_after: Some(at("2026-11-23T20:00:00Z")),
        authn_instant: at("2026-11-23T11:59:50Z"),
        authn_context: "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
        attributes: &ATTRIBUTES,
    }
}

pub(crate) fn signing(response: bool, assertion: bool) -> Signing<'static> {
    Signing {
        key: &IDP_KEYS.key,
        certificate: Some(&IDP_KEYS.certificate),
        response,
        assertion,
    }
}

pub(crate) fn encryption(cipher: ContentCipher) -> Encryption<'static> {
    let mut random = [0u8; 48];
    random
        .iter_mut()
        .enumerate()
        .for_each(|(i, b)| *b = u8::try_from(i * 5 % 251).unwrap());
    Encryption {
        recipient: &SP_KEYS.certificate,
        cipher,
        transport: KeyTransport::OaepSha1,
        random,
    }
}

pub(crate) fn trust() -> Trust<'static> {
    Trust {
        idp_entity_id: IDP,
        keys: &*IDP_TRUSTED,
        decryption_keys: &*SP_DECRYPTION,
        allow_cbc: false,
        limits: Limits::MESSAGE,
    }
}

pub(crate) fn expected() -> Expected<'static> {
    Expected::new(ACS, SP, Some(REQUEST))
}

pub(crate) fn form(xml: &str) -> Vec<u8> {
    wire::base64_encode(xml.as_bytes()).into_bytes()
}

/// Verifies `xml` under the default trust and expectation.
pub(crate) fn check(xml: &str) -> Result<VerifiedAssertion, SamlError> {
    response::verify(&form(xml), &trust(), &expected(), now())
}

/// Verifies `xml` and returns the code of the refusal, or `accepted`.
pub(crate) fn code(xml: &str) -> &'static str {
    check(xml).err().map_or("accepted", |error| error.code())
}

/// Replaces exactly one occurrence, so that a test document departs from the honest one in one place.
pub(crate) fn swap(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "“{from}” must occur exactly once");
    text.replacen(from, to, 1)
}

/// How the forge signs.
#[derive(Clone)]
pub(crate) struct Forge {
    pub(crate) transform: Canonicalization,
    pub(crate) method: Canonicalization,
    pub(crate) digest: DigestAlgorithm,
    pub(crate) algorithm: SignatureAlgorithm,
    /// Edits the SignedInfo before it is signed.
    pub(crate) edit: fn(String) -> String,
}

impl Default for Forge {
    fn default() -> Self {
        Self {
            transform: Canonicalization::Exclusive(Vec::new()),
            method: Canonicalization::Exclusive(Vec::new()),
            digest: DigestAlgorithm::Sha256,
            algorithm: SignatureAlgorithm::RsaSha256,
            edit: |info| info,
        }
    }
}

fn method_xml(element: &str, method: &Canonicalization) -> String {
    match method {
        Canonicalization::Inclusive => format!("<ds:{element} Algorithm=\"{}\"></ds:{element}>", names::C14N),
        Canonicalization::Exclusive(prefixes) if prefixes.is_empty() => {
            format!("<ds:{element} Algorithm=\"{}\"></ds:{element}>", names::EXC_C14N)
        }
        Canonicalization::Exclusive(prefixes) => format!(
            "<ds:{element} Algorithm=\"{0}\"><ec:InclusiveNamespaces xmlns:ec=\"{0}\" PrefixList=\"{1}\"/></ds:{element}>",
            names::EXC_C14N,
            prefixes.join(" ")
        ),
    }
}

/// Finds the first element with this `ID`, in document order.
pub(crate) fn find<'t, 'a>(tree: &'t Tree<'a>, id: &str) -> Node<'t, 'a> {
    let mut found: Vec<_> = tree
        .root()
        .with_descendants()
        .into_iter()
        .filter(|n| n.attr("ID") == Some(id))
        .collect();
    found.sort_by_key(|n| n.node_id().index());
    found[0]
}

/// Signs the element `id` inside `xml`, right behind its Issuer, whatever stands around it.
pub(crate) fn sign_in_place(xml: &str, id: &str, key: &SigningKey, forge: &Forge) -> String {
    let tree = Tree::parse(xml, &Limits::MESSAGE, Dialect::Message).unwrap();
    let canonical = forge.transform.apply(find(&tree, id), None).unwrap();
    let digest = wire::base64_encode(forge.digest.digest(canonical.as_bytes()).as_ref());
    let info = format!(
        "<ds:SignedInfo>{method}<ds:SignatureMethod Algorithm=\"{algorithm}\"></ds:SignatureMethod>\
         <ds:Reference URI=\"#{id}\"><ds:Transforms><ds:Transform Algorithm=\"{enveloped}\"></ds:Transform>{transform}\
         </ds:Transforms><ds:DigestMethod Algorithm=\"{digest_method}\"></ds:DigestMethod>\
         <ds:DigestValue>{digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>",
        method = method_xml("CanonicalizationMethod", &forge.method),
        algorithm = forge.algorithm.uri(),
        enveloped = names::ENVELOPED,
        transform = method_xml("Transform", &forge.transform),
        digest_method = forge.digest.uri(),
    );
    let signature = format!(
        "<ds:Signature xmlns:ds=\"{}\">{}<ds:SignatureValue>@VALUE@</ds:SignatureValue></ds:Signature>",
        names::DS,
        (forge.edit)(info)
    );
    let start = xml.find(&format!("ID=\"{id}\"")).unwrap();
    let behind = start + xml[start..].find("</saml:Issuer>").unwrap() + "</saml:Issuer>".len();
    let unsigned = format!("{}{signature}{}", &xml[..behind], &xml[behind..]);
    let tree = Tree::parse(&unsigned, &Limits::MESSAGE, Dialect::Message).unwrap();
    let signature = find(&tree, id).child(names::DS, "Signature").unwrap().unwrap();
    let info = signature.children_named(names::DS, "SignedInfo").next().unwrap();
    let octets = forge.method.apply(info, None).unwrap();
    let value = wire::base64_encode(&key.sign(forge.algorithm, octets.as_bytes()).unwrap());
    unsigned.replacen("@VALUE@", &value, 1)
}

/// The honest assertion, unsigned.
pub(crate) fn assertion() -> String {
    crate::issue::assertion_draft(&spec()).unsigned()
}

/// The honest Response around `payload`, unsigned.
pub(crate) fn wrap(payload: &str) -> String {
    crate::issue::response_draft(&spec(), payload).unsigned()
}

/// An honest Response with a signed assertion that was edited before it was signed.
pub(crate) fn signed_assertion(edit: impl Fn(&str) -> String) -> String {
    sign_in_place(
        &wrap(&edit(&assertion())),
        assertion_id(),
        &IDP_KEYS.key,
        &Forge::default(),
    )
}

/// An honest signed Response that was edited before it was signed.
pub(crate) fn signed_response(edit: impl Fn(&str) -> String) -> String {
    sign_in_place(
        &edit(&wrap(&assertion())),
        response_id(),
        &IDP_KEYS.key,
        &Forge::default(),
    )
}
