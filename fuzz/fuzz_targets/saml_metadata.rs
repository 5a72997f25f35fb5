//! Metadata of identity providers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use provost_saml::metadata::IdpMetadata;

fuzz_target!(|bytes: &[u8]| {
    let _ = IdpMetadata::parse(bytes);
});
