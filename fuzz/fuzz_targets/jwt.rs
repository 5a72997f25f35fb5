//! Signed tokens and key sets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provost_oidc::jose::jws::{self, TypRule};
use provost_oidc::jose::{Algorithm, JwkSet};

const KEYS: &[u8] = br#"{"keys":[{"kty":"EC","crv":"P-256","kid":"k","alg":"ES256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

fuzz_target!(|bytes: &[u8]| {
    let _ = JwkSet::parse(bytes);
    if let (Ok(text), Ok(keys)) = (std::str::from_utf8(bytes), JwkSet::parse(KEYS)) {
        let _ = jws::verify(text, &keys, Algorithm::ALL, TypRule::JWT);
    }
});
