//! A second opinion from xmlsec1, both ways: it has to accept what we sign and encrypt, and we have to accept
//! what it signs and encrypts. Needs the `xmlsec1` program, so it only runs when asked:
//! `cargo test -p provost-saml --features issue --test xmlsec1 -- --ignored`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test bench fails by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use provost_saml::authn_request::RequestId;
use provost_saml::issue::{Encryption, KeyTransport, ResponseSpec, Signing, issue_response};
use provost_saml::key::{Certificate, DecryptionKey, SigningKey, VerifyingKey};
use provost_saml::response::{Expected, NameId, Trust, VerifiedAssertion, verify};
use provost_saml::{ContentCipher, Limits, SamlError};

const ACS: &str = "https://sp.example/acs";
const SP: &str = "https://sp.example";
const IDP: &str = "https://idp.example";
const SUBJECT: &str = "ada-7f3a";
const IDS: [&str; 4] = [
    "--id-attr:ID",
    "urn:oasis:names:tc:SAML:2.0:protocol:Response",
    "--id-attr:ID",
    "urn:oasis:names:tc:SAML:2.0:assertion:Assertion",
];

/// A scratch directory with the keys of both sides.
struct Bench {
    directory: PathBuf,
    signing: SigningKey,
    certificate: Certificate,
    decryption: [DecryptionKey; 1],
    recipient: Certificate,
}

impl Bench {
    fn new(name: &str, algorithm: &'static rcgen::SignatureAlgorithm) -> Self {
        let directory = std::env::temp_dir().join(format!("provost-xmlsec1-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let make = |file: &str, algorithm| {
            let pair = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let certificate = rcgen::CertificateParams::new(Vec::new())
                .unwrap()
                .self_signed(&pair)
                .unwrap();
            std::fs::write(directory.join(format!("{file}.key")), pair.serialize_pem()).unwrap();
            std::fs::write(directory.join(format!("{file}.pem")), certificate.pem()).unwrap();
            (
                pair.serialize_der(),
                Certificate::from_der(certificate.der()).unwrap(),
            )
        };
        let (idp, certificate) = make("idp", algorithm);
        let (sp, recipient) = make("sp", &rcgen::PKCS_RSA_SHA256);
        Self {
            signing: SigningKey::from_pkcs8_der(&idp).unwrap(),
            certificate,
            decryption: [DecryptionKey::from_pkcs8_der(&sp).unwrap()],
            recipient,
            directory,
        }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn file(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    /// Runs xmlsec1 and returns its standard output; panics with its complaints when it fails.
    fn xmlsec1(arguments: &[&str], input: &Path) -> String {
        let output = Command::new("xmlsec1")
            .args(arguments)
            .arg(input)
            .output()
            .expect("xmlsec1 is installed");
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    fn issue(&self, response: bool, assertion: bool, cipher: Option<ContentCipher>) -> String {
        let now = now();
        let name_id = NameId {
            value: SUBJECT.into(),
            format: None,
            name_qualifier: None,
            sp_name_qualifier: None,
        };
        let spec = ResponseSpec {
            response_id: &RequestId::from_random([1; 16]),
            assertion_id: &RequestId::from_random([2; 16]),
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
            attributes: &[],
        };
        let signing = Signing {
            key: &self.signing,
            certificate: Some(&self.certificate),
            response,
            assertion,
        };
        let encryption = cipher.map(|cipher| Encryption {
            recipient: &self.recipient,
            cipher,
            transport: KeyTransport::OaepSha1,
            random: [9; 48],
        });
        issue_response(&spec, &signing, encryption.as_ref()).unwrap()
    }

    fn check(&self, xml: &str) -> Result<VerifiedAssertion, SamlError> {
        let keys = [VerifyingKey::from_certificate(&self.certificate).unwrap()];
        let trust = Trust {
            idp_entity_id: IDP,
            keys: &keys,
            decryption_keys: &self.decryption,
            allow_cbc: true,
            limits: Limits::MESSAGE,
        };
        let value = provost_saml::issue::response_form(ACS, xml, None)
            .unwrap()
            .fields
            .remove(0)
            .1;
        verify(
            value.as_bytes(),
            &trust,
            &Expected::new(ACS, SP, Some("_r")),
            now(),
        )
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

/// An empty signature for xmlsec1 to fill in.
fn template(id: &str, algorithm: &str, digest: &str, method: &str, transform: &str) -> String {
    format!(
        "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">\n <ds:SignedInfo>\n  {method}\n  \
         <ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#{algorithm}\"/>\n  \
         <ds:Reference URI=\"#{id}\"><ds:Transforms>\
         <ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>{transform}</ds:Transforms>\
         <ds:DigestMethod Algorithm=\"{digest}\"/><ds:DigestValue/></ds:Reference>\n </ds:SignedInfo>\n <ds:SignatureValue/>\n</ds:Signature>"
    )
}

#[test]
#[ignore = "needs xmlsec1"]
fn xmlsec1_accepts_what_we_sign_and_encrypt() {
    for (name, algorithm) in [
        ("rsa", &rcgen::PKCS_RSA_SHA256),
        ("p256", &rcgen::PKCS_ECDSA_P256_SHA256),
        ("p384", &rcgen::PKCS_ECDSA_P384_SHA384),
    ] {
        let bench = Bench::new(&format!("ours-{name}"), algorithm);
        let trusted = bench.file("idp.pem");
        let verify = |node: &str, path: &Path| {
            let xpath = format!("//*[local-name()='{node}']/*[local-name()='Signature']");
            Bench::xmlsec1(
                &[
                    &["--verify", "--trusted-pem", &trusted, "--node-xpath", &xpath],
                    &IDS[..],
                ]
                .concat(),
                path,
            )
        };
        let both = bench.write("both.xml", &bench.issue(true, true, None));
        verify("Response", &both);
        verify("Assertion", &both);
        for cipher in [
            ContentCipher::Aes128Gcm,
            ContentCipher::Aes256Gcm,
            ContentCipher::Aes128Cbc,
            ContentCipher::Aes256Cbc,
        ] {
            let sealed = bench.write("sealed.xml", &bench.issue(true, true, Some(cipher)));
            verify("Response", &sealed);
            let opened = Bench::xmlsec1(&["--decrypt", "--privkey-pem", &bench.file("sp.key")], &sealed);
            assert!(opened.contains(SUBJECT));
            verify("Assertion", &bench.write("opened.xml", &opened));
        }
    }
}

/// Every digest with every pair of methods.
fn combinations(methods: &[String]) -> Vec<(&'static str, &String, &String)> {
    let mut all = Vec::new();
    for digest in [
        "http://www.w3.org/2001/04/xmlenc#sha256",
        "http://www.w3.org/2001/04/xmlenc#sha512",
    ] {
        for method in methods {
            all.extend(methods.iter().map(|transform| (digest, method, transform)));
        }
    }
    all
}

#[test]
#[ignore = "needs xmlsec1"]
fn we_accept_what_xmlsec1_signs() {
    let exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#";
    let methods = [
        format!("Algorithm=\"{exclusive}\"/>"),
        "Algorithm=\"http://www.w3.org/TR/2001/REC-xml-c14n-20010315\"/>".to_owned(),
        format!(
            "Algorithm=\"{exclusive}\"><ec:InclusiveNamespaces xmlns:ec=\"{exclusive}\" PrefixList=\"xs saml\"/></@>"
        ),
    ];
    let cases: [(&str, &'static rcgen::SignatureAlgorithm, &[&str]); 3] = [
        (
            "rsa",
            &rcgen::PKCS_RSA_SHA256,
            &["rsa-sha256", "rsa-sha384", "rsa-sha512"],
        ),
        (
            "p256",
            &rcgen::PKCS_ECDSA_P256_SHA256,
            &["ecdsa-sha256", "ecdsa-sha384"],
        ),
        (
            "p384",
            &rcgen::PKCS_ECDSA_P384_SHA384,
            &["ecdsa-sha256", "ecdsa-sha384"],
        ),
    ];
    for (name, key, algorithms) in cases {
        let bench = Bench::new(&format!("theirs-{name}"), key);
        let plain = bench.issue(false, false, None).replace(
            "<samlp:Response ",
            "<samlp:Response xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" xmlns=\"urn:default\" ",
        );
        for algorithm in algorithms {
            for (digest, method, transform) in combinations(&methods) {
                let method = format!(
                    "<ds:CanonicalizationMethod {}",
                    method.replace('@', "ds:CanonicalizationMethod")
                );
                let transform = format!("<ds:Transform {}", transform.replace('@', "ds:Transform"));
                let id = format!("_{}", "02".repeat(16));
                let at = plain.rfind("</saml:Issuer>").unwrap() + "</saml:Issuer>".len();
                let signature = template(&id, algorithm, digest, &method, &transform);
                let path = bench.write(
                    "template.xml",
                    &format!("{}{signature}{}", &plain[..at], &plain[at..]),
                );
                let key_file = bench.file("idp.key");
                let arguments = [&["--sign", "--privkey-pem", &key_file], &IDS[..]].concat();
                let signed = Bench::xmlsec1(&arguments, &path);
                let verified = bench
                    .check(&signed)
                    .unwrap_or_else(|e| panic!("{algorithm} {method} {transform}: {e}\n{signed}"));
                assert_eq!(verified.name_id().value, SUBJECT);
                assert_eq!(
                    bench.check(&signed.replace(SUBJECT, "root")).unwrap_err(),
                    SamlError::DigestMismatch
                );
            }
        }
    }
}

#[test]
#[ignore = "needs xmlsec1"]
fn we_open_what_xmlsec1_encrypts() {
    let bench = Bench::new("sealed", &rcgen::PKCS_RSA_SHA256);
    let signed = bench.issue(false, true, None);
    let start = signed.find("<saml:Assertion ").unwrap();
    let end = signed.find("</saml:Assertion>").unwrap() + "</saml:Assertion>".len();
    let assertion = bench.write("assertion.xml", &signed[start..end]);
    for (cipher, session_key, accepted) in [
        ("http://www.w3.org/2009/xmlenc11#aes128-gcm", "aes-128", Ok(())),
        ("http://www.w3.org/2009/xmlenc11#aes256-gcm", "aes-256", Ok(())),
        // Without a signature over the ciphertext this mode is an oracle, so only the refusal can be shown here.
        (
            "http://www.w3.org/2001/04/xmlenc#aes128-cbc",
            "aes-128",
            Err(SamlError::CbcUnsigned),
        ),
    ] {
        let template = bench.write(
            "encrypt.xml",
            &format!(
                "<xenc:EncryptedData xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\" xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" \
                 Type=\"http://www.w3.org/2001/04/xmlenc#Element\"><xenc:EncryptionMethod Algorithm=\"{cipher}\"/><ds:KeyInfo><xenc:EncryptedKey>\
                 <xenc:EncryptionMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p\"/><xenc:CipherData><xenc:CipherValue/>\
                 </xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedData>"
            ),
        );
        let (recipient, xml) = (bench.file("sp.pem"), assertion.display().to_string());
        let arguments = [
            "--encrypt",
            "--pubkey-cert-pem",
            &recipient,
            "--session-key",
            session_key,
            "--xml-data",
            &xml,
        ];
        let sealed = Bench::xmlsec1(&arguments, &template);
        let body = sealed.split_once("?>").map_or(sealed.as_str(), |(_, body)| body);
        let response = format!(
            "{}<saml:EncryptedAssertion>{}</saml:EncryptedAssertion>{}",
            &signed[..start],
            body.trim(),
            &signed[end..]
        );
        assert_eq!(bench.check(&response).map(|_| ()), accepted, "{cipher}");
    }
}
