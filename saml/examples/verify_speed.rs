//! Prints how long one Response takes to verify: `cargo run --release -p provost-saml --features issue --example verify_speed`.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use provost_saml::authn_request::RequestId;
use provost_saml::issue::{Encryption, KeyTransport, ResponseSpec, Signing, issue_response, response_form};
use provost_saml::key::{Certificate, DecryptionKey, SigningKey, VerifyingKey};
use provost_saml::response::{Attribute, Expected, NameId, Trust, verify};
use provost_saml::{ContentCipher, Limits};

const ACS: &str = "https://sp.example/acs";
const SP: &str = "https://sp.example";
const IDP: &str = "https://idp.example";
const ROUNDS: u32 = 2000;

struct Party {
    key: SigningKey,
    pkcs8: Vec<u8>,
    certificate: Certificate,
}

fn party(algorithm: &'static rcgen::SignatureAlgorithm) -> Result<Party, Box<dyn Error>> {
    let pair = rcgen::KeyPair::generate_for(algorithm)?;
    let certificate = rcgen::CertificateParams::new(Vec::new())?.self_signed(&pair)?;
    Ok(Party {
        key: SigningKey::from_pkcs8_der(&pair.serialize_der())?,
        pkcs8: pair.serialize_der(),
        certificate: Certificate::from_der(certificate.der())?,
    })
}

/// The forms measured: name, Response signed, Assertion signed, encrypted.
const FORMS: [(&str, bool, bool, bool); 4] = [
    ("signed response", true, false, false),
    ("signed assertion", false, true, false),
    ("both signed", true, true, false),
    ("signed, encrypted, signed", true, true, true),
];

/// Issues the same sign-in in every form.
fn issue_all(now: Timestamp, idp: &Party, sp: &Party) -> Result<Vec<(&'static str, String)>, Box<dyn Error>> {
    let (response_id, assertion_id) = (RequestId::from_random([1; 16]), RequestId::from_random([2; 16]));
    let name_id = NameId {
        value: "ada-7f3a".into(),
        format: None,
        name_qualifier: None,
        sp_name_qualifier: None,
    };
    let attributes = ["emailaddress", "givenname", "surname", "groups"].map(|name| Attribute {
        name: name.into(),
        name_format: None,
        friendly_name: None,
        values: vec!["ada@home-lab.example".into()],
    });
    let spec = ResponseSpec {
        response_id: &response_id,
        assertion_id: &assertion_id,
        issue_instant: now,
        lifetime: SignedDuration::from_mins(5),
        issuer: IDP,
        acs_url: ACS,
        audience: SP,
        in_response_to: Some("_r"),
        name_id: &name_id,
        session_index: "_s",
        session_not_on_or_after: None,
        authn_instant: now,
        authn_context: "urn:oasis:names:tc:SAML:2.0:ac:classes:Password",
        attributes: &attributes,
    };
    let encryption = Encryption {
        recipient: &sp.certificate,
        cipher: ContentCipher::Aes256Gcm,
        transport: KeyTransport::OaepSha1,
        random: [7; 48],
    };
    FORMS
        .iter()
        .map(|(name, response, assertion, encrypted)| {
            let signing = Signing {
                key: &idp.key,
                certificate: Some(&idp.certificate),
                response: *response,
                assertion: *assertion,
            };
            let xml = issue_response(&spec, &signing, encrypted.then_some(&encryption))?;
            Ok((*name, response_form(ACS, &xml, None)?.fields.remove(0).1))
        })
        .collect()
}

#[expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement prints and reads the clock"
)]
fn main() -> Result<(), Box<dyn Error>> {
    let now: Timestamp = "2026-11-23T12:00:00Z".parse()?;
    let sp = party(&rcgen::PKCS_RSA_SHA256)?;
    let decryption_keys = [DecryptionKey::from_pkcs8_der(&sp.pkcs8)?];
    for (name, algorithm) in [
        ("RSA-2048", &rcgen::PKCS_RSA_SHA256),
        ("ECDSA P-256", &rcgen::PKCS_ECDSA_P256_SHA256),
    ] {
        let idp = party(algorithm)?;
        let keys = [VerifyingKey::from_certificate(&idp.certificate)?];
        let trust = Trust {
            idp_entity_id: IDP,
            keys: &keys,
            decryption_keys: &decryption_keys,
            allow_cbc: false,
            limits: Limits::MESSAGE,
        };
        for (form, value) in issue_all(now, &idp, &sp)? {
            let start = Instant::now();
            for _ in 0..ROUNDS {
                black_box(verify(
                    black_box(value.as_bytes()),
                    &trust,
                    &Expected::new(ACS, SP, Some("_r")),
                    now,
                )?);
            }
            let each = start.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS);
            println!("{name:12} {form:26} {:6} bytes {each:8.1} µs", value.len());
        }
    }
    Ok(())
}
