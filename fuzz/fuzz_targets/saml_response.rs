//! Responses of identity providers, as XML that is put into the form field, and as the field itself.
#![no_main]

use base64::Engine as _;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use provost_saml::Limits;
use provost_saml::response::{Expected, Trust, read_unverified, verify};

fuzz_target!(|bytes: &[u8]| {
    let trust = Trust {
        idp_entity_id: "https://idp.example",
        keys: &[],
        decryption_keys: &[],
        allow_cbc: false,
        limits: Limits::MESSAGE,
    };
    let expected = Expected::new("https://sp.example/acs", "https://sp.example", Some("_1"));
    let _ = verify(bytes, &trust, &expected, Timestamp::UNIX_EPOCH);
    let field = base64::engine::general_purpose::STANDARD.encode(bytes);
    let _ = verify(field.as_bytes(), &trust, &expected, Timestamp::UNIX_EPOCH);
    if let Ok(pasted) = std::str::from_utf8(bytes) {
        let _ = read_unverified(pasted, &Limits::MESSAGE);
    }
});
