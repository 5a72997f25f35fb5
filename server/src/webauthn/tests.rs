use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use minicbor::Encoder;
use serde_json::json;

use super::*;

const CHALLENGE: &[u8] = b"a challenge of thirty-two bytes!";
const EXPECTED: Expected<'static> = Expected {
    challenge: CHALLENGE,
    origin: "https://login.acme.example",
    host: "login.acme.example",
};

fn client_data(ceremony: &str) -> serde_json::Value {
    json!({
        "type": ceremony, "challenge": URL_SAFE_NO_PAD.encode(CHALLENGE), "origin": EXPECTED.origin, "crossOrigin": false,
        "other_keys_can_be_added_here": "do not compare clientDataJSON against a template",
    })
}

fn device_data(flags: u8, count: u32, key: &[u8]) -> Vec<u8> {
    let mut data = digest(&SHA256, EXPECTED.host.as_bytes()).as_ref().to_vec();
    data.push(flags);
    data.extend(count.to_be_bytes());
    if !key.is_empty() {
        data.extend([0; 16]);
        data.extend(3_u16.to_be_bytes());
        data.extend(b"id1");
        data.extend(key);
    }
    data
}

fn attestation(data: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    encoder.map(3).unwrap().str("fmt").unwrap().str("none").unwrap();
    encoder.str("attStmt").unwrap().map(0).unwrap();
    encoder.str("authData").unwrap().bytes(data).unwrap();
    encoder.into_writer()
}

fn es256() -> (EcdsaKeyPair, Vec<u8>) {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let point = pair.public_key().as_ref().to_vec();
    let mut encoder = Encoder::new(Vec::new());
    encoder.map(5).unwrap().i64(1).unwrap().i64(2).unwrap();
    encoder
        .i64(3)
        .unwrap()
        .i64(-7)
        .unwrap()
        .i64(-1)
        .unwrap()
        .i64(1)
        .unwrap();
    encoder.i64(-2).unwrap().bytes(&point[1..33]).unwrap();
    encoder.i64(-3).unwrap().bytes(&point[33..]).unwrap();
    (pair, encoder.into_writer())
}

fn registered() -> (EcdsaKeyPair, PublicKey) {
    let (pair, key) = es256();
    let data = client_data("webauthn.create").to_string();
    let made = register(
        &attestation(&device_data(0x45, 0, &key)),
        data.as_bytes(),
        &EXPECTED,
    )
    .unwrap();
    assert_eq!(made.credential, URL_SAFE_NO_PAD.encode(b"id1"));
    (pair, made.key)
}

fn sign(pair: &EcdsaKeyPair, data: &[u8], client: &[u8]) -> Vec<u8> {
    let mut signed = data.to_vec();
    signed.extend_from_slice(digest(&SHA256, client).as_ref());
    pair.sign(&SystemRandom::new(), &signed)
        .unwrap()
        .as_ref()
        .to_vec()
}

#[test]
fn a_passkey_registers_and_signs() {
    let (pair, key) = registered();
    let client = client_data("webauthn.get").to_string();
    for (flags, verified) in [(0x05, true), (0x01, false)] {
        let data = device_data(flags, 7, &[]);
        let signature = sign(&pair, &data, client.as_bytes());
        let asserted = verify(&key, &data, client.as_bytes(), &signature, &EXPECTED).unwrap();
        assert_eq!((asserted.sign_count, asserted.user_verified), (7, verified));
    }
}

#[test]
fn ed25519_keys_sign_too() {
    let pair = Ed25519KeyPair::generate().unwrap();
    let mut encoder = Encoder::new(Vec::new());
    encoder.map(4).unwrap().i64(1).unwrap().i64(1).unwrap();
    encoder
        .i64(3)
        .unwrap()
        .i64(-8)
        .unwrap()
        .i64(-1)
        .unwrap()
        .i64(6)
        .unwrap();
    encoder
        .i64(-2)
        .unwrap()
        .bytes(pair.public_key().as_ref())
        .unwrap();
    let create = client_data("webauthn.create").to_string();
    let data = attestation(&device_data(0x41, 0, &encoder.into_writer()));
    let key = register(&data, create.as_bytes(), &EXPECTED).unwrap().key;
    let (client, data) = (client_data("webauthn.get").to_string(), device_data(0x01, 0, &[]));
    let mut signed = data.clone();
    signed.extend_from_slice(digest(&SHA256, client.as_bytes()).as_ref());
    let signature = pair.sign(&signed);
    assert!(verify(&key, &data, client.as_bytes(), signature.as_ref(), &EXPECTED).is_ok());
}

#[test]
fn whatever_differs_in_one_thing_does_not_count() {
    let (pair, key) = registered();
    let (other, _) = registered();
    let client = client_data("webauthn.get");
    let data = device_data(0x05, 1, &[]);
    let attempt = |client: &serde_json::Value, data: &[u8], pair: &EcdsaKeyPair| {
        let client = client.to_string();
        let signature = sign(pair, data, client.as_bytes());
        verify(&key, data, client.as_bytes(), &signature, &EXPECTED).map(drop)
    };
    assert_eq!(attempt(&client, &data, &pair), Ok(()));
    assert_eq!(attempt(&client, &data, &other), Err(WebAuthnError::Signature));
    let faults = [
        ("type", json!("webauthn.create")),
        ("challenge", json!(URL_SAFE_NO_PAD.encode(b"another challenge"))),
        ("origin", json!("https://login.acme.example.evil.example")),
        ("origin", json!("http://login.acme.example")),
        ("crossOrigin", json!(true)),
    ];
    for (field, value) in faults {
        let mut changed = client.clone();
        changed[field] = value;
        assert_eq!(
            attempt(&changed, &data, &pair),
            Err(WebAuthnError::OtherRequest),
            "{field}"
        );
    }
    assert_eq!(
        attempt(&client, &device_data(0x04, 1, &[]), &pair),
        Err(WebAuthnError::NotPresent)
    );
    let mut elsewhere = data.clone();
    elsewhere[0] ^= 1;
    assert_eq!(attempt(&client, &elsewhere, &pair), Err(WebAuthnError::OtherHost));
    // Each byte of what is signed counts.
    let text = client.to_string();
    let signature = sign(&pair, &data, text.as_bytes());
    for position in 32..data.len() {
        let mut flipped = data.clone();
        flipped[position] ^= 0x40;
        assert!(
            verify(&key, &flipped, text.as_bytes(), &signature, &EXPECTED).is_err(),
            "{position}"
        );
    }
    for position in 0..signature.len() {
        let mut flipped = signature.clone();
        flipped[position] ^= 1;
        assert!(
            verify(&key, &data, text.as_bytes(), &flipped, &EXPECTED).is_err(),
            "{position}"
        );
    }
}

/// A COSE key of P-256 with these numbers in the places of kind, algorithm and curve.
fn key_with(kind: i64, algorithm: i64, curve: i64) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    encoder.map(5).unwrap();
    for (label, value) in [(1, kind), (3, algorithm), (-1, curve)] {
        encoder.i64(label).unwrap().i64(value).unwrap();
    }
    for label in [-2, -3] {
        encoder.i64(label).unwrap().bytes(&[7; 32]).unwrap();
    }
    encoder.into_writer()
}

fn registering(flags: u8, key: &[u8], more: &[u8]) -> Result<NewPasskey, WebAuthnError> {
    let create = client_data("webauthn.create").to_string();
    let mut data = device_data(flags, 0, key);
    data.extend(more);
    register(&attestation(&data), create.as_bytes(), &EXPECTED)
}

#[test]
fn only_the_kinds_of_keys_that_were_asked_for_are_taken() {
    assert!(registering(0x45, &key_with(2, -7, 1), &[]).is_ok());
    // Another curve, hash or kind; an algorithm that does not belong to the kind; a symmetric key.
    for (kind, algorithm, curve) in [
        (2, -7, 2),
        (2, -7, 8),
        (2, -35, 1),
        (1, -7, 1),
        (3, -7, 1),
        (4, 5, 1),
        (2, -8, 6),
        (2, -65535, 1),
    ] {
        let refused = registering(0x45, &key_with(kind, algorithm, curve), &[]);
        assert_eq!(refused, Err(WebAuthnError::KeyKind), "{kind} {algorithm} {curve}");
    }
    for (length, is_taken) in [
        (128, false),
        (255, false),
        (256, true),
        (512, true),
        (1024, false),
    ] {
        let mut encoder = Encoder::new(Vec::new());
        encoder
            .map(4)
            .unwrap()
            .i64(1)
            .unwrap()
            .i64(3)
            .unwrap()
            .i64(3)
            .unwrap()
            .i64(-257)
            .unwrap();
        encoder
            .i64(-1)
            .unwrap()
            .bytes(&vec![0xc1; length])
            .unwrap()
            .i64(-2)
            .unwrap()
            .bytes(&[1, 0, 1])
            .unwrap();
        assert_eq!(
            registering(0x45, &encoder.into_writer(), &[]).is_ok(),
            is_taken,
            "{length}"
        );
    }
}

#[test]
fn what_stands_twice_or_too_much_is_malformed() {
    let mut twice = key_with(2, -7, 1);
    twice[0] = 0xa6;
    twice.extend([0x03, 0x26]);
    assert_eq!(registering(0x45, &twice, &[]), Err(WebAuthnError::Malformed));
    assert_eq!(
        registering(0x45, &key_with(2, -7, 1), &[0]),
        Err(WebAuthnError::Malformed)
    );
    // Extensions only where the flag says so, and one map of them.
    let extensions = [0xa1, 0x61, b'x', 0xf5];
    assert_eq!(
        registering(0x45, &key_with(2, -7, 1), &extensions),
        Err(WebAuthnError::Malformed)
    );
    assert!(registering(0xc5, &key_with(2, -7, 1), &extensions).is_ok());
    for wrong in [&[][..], &[0x01], &[0xa1, 0x61, b'x', 0xf5, 0x00]] {
        assert_eq!(
            registering(0xc5, &key_with(2, -7, 1), wrong),
            Err(WebAuthnError::Malformed)
        );
    }
    let mut encoder = Encoder::new(Vec::new());
    encoder.map(2).unwrap();
    for _ in 0..2 {
        encoder
            .str("authData")
            .unwrap()
            .bytes(&device_data(0x45, 0, &key_with(2, -7, 1)))
            .unwrap();
    }
    let create = client_data("webauthn.create").to_string();
    assert_eq!(
        register(&encoder.into_writer(), create.as_bytes(), &EXPECTED),
        Err(WebAuthnError::Malformed)
    );
}

#[test]
fn a_registration_is_no_sign_in_and_a_backup_needs_to_be_possible() {
    let (pair, key) = registered();
    let client = client_data("webauthn.get").to_string();
    let attempt = |data: &[u8]| {
        let signature = sign(&pair, data, client.as_bytes());
        verify(&key, data, client.as_bytes(), &signature, &EXPECTED).map(drop)
    };
    assert_eq!(attempt(&device_data(0x05, 1, &[])), Ok(()));
    assert_eq!(
        attempt(&device_data(0x45, 1, &key_with(2, -7, 1))),
        Err(WebAuthnError::Malformed)
    );
    assert_eq!(attempt(&device_data(0x15, 1, &[])), Err(WebAuthnError::Malformed));
    assert_eq!(attempt(&device_data(0x1d, 1, &[])), Ok(()));
    let mut longer = device_data(0x05, 1, &[]);
    longer.push(0);
    assert_eq!(attempt(&longer), Err(WebAuthnError::Malformed));
    let mut framed = client_data("webauthn.get");
    framed["topOrigin"] = json!("https://evil.example");
    let text = framed.to_string();
    let data = device_data(0x05, 1, &[]);
    let signature = sign(&pair, &data, text.as_bytes());
    assert_eq!(
        verify(&key, &data, text.as_bytes(), &signature, &EXPECTED).map(drop),
        Err(WebAuthnError::OtherRequest)
    );
}

#[test]
fn hostile_bytes_are_malformed_and_never_a_panic() {
    let create = client_data("webauthn.create").to_string();
    let nested = [0x81].repeat(LIMIT);
    let mut deep = vec![0xa1, 0x63, b'f', b'm', b't'];
    deep.extend([0x81].repeat(LIMIT - 5));
    let good = attestation(&device_data(0x45, 0, &es256().1));
    let mut cut: Vec<Vec<u8>> = (0..good.len()).map(|length| good[..length].to_vec()).collect();
    cut.extend([
        nested,
        deep,
        vec![0xbf],
        vec![0xbb; 9],
        vec![0xff; 100],
        vec![0xa1; LIMIT + 1],
    ]);
    for bytes in cut {
        assert!(register(&bytes, create.as_bytes(), &EXPECTED).is_err());
    }
    // Nested deeper than any stack, inside the key.
    for opener in [0x81_u8, 0x9f, 0xbf, 0xd8] {
        let key = [vec![0xa1, 0x18, 0x64], vec![opener; 12_000]].concat();
        assert!(
            register(
                &attestation(&device_data(0x45, 0, &key)),
                create.as_bytes(),
                &EXPECTED
            )
            .is_err()
        );
    }
    for client in [
        &b""[..],
        b"{}",
        b"null",
        &b"[".repeat(LIMIT),
        &b" ".repeat(LIMIT + 1),
    ] {
        assert!(register(&good, client, &EXPECTED).is_err());
    }
    // A key of a kind that nobody asked for.
    let mut encoder = Encoder::new(Vec::new());
    encoder
        .map(2)
        .unwrap()
        .i64(1)
        .unwrap()
        .i64(2)
        .unwrap()
        .i64(3)
        .unwrap()
        .i64(-65535)
        .unwrap();
    let weak = attestation(&device_data(0x45, 0, &encoder.into_writer()));
    assert_eq!(
        register(&weak, create.as_bytes(), &EXPECTED),
        Err(WebAuthnError::KeyKind)
    );
}
