//! Making private keys. The only place where they come into being; never keeps one.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use provost_oidc::jose::Algorithm;
use zeroize::Zeroizing;

/// Algorithms that we sign with, the default first.
pub const ALGORITHMS: [Algorithm; 3] = [Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa];

/// Makes a private key as PKCS#8 DER. RSA takes some tens of milliseconds: call it off the async threads.
///
/// # Errors
/// [`Unspecified`] when the operating system gives no random bytes, or for an algorithm outside [`ALGORITHMS`].
pub fn generate(algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
    let random = SystemRandom::new();
    let der = match algorithm {
        Algorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)?
            .as_ref()
            .to_vec(),
        Algorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&random)?.as_ref().to_vec(),
        Algorithm::Rs256 => RsaKeyPair::generate(KeySize::Rsa2048)?
            .as_der()?
            .as_ref()
            .to_vec(),
        Algorithm::Rs384
        | Algorithm::Rs512
        | Algorithm::Ps256
        | Algorithm::Ps384
        | Algorithm::Ps512
        | Algorithm::Es384 => return Err(Unspecified),
    };
    Ok(Zeroizing::new(der))
}

#[cfg(test)]
mod tests {
    use provost_oidc::jose::{Algorithm, SigningKey};

    use super::{ALGORITHMS, generate};

    #[test]
    fn each_algorithm_gives_a_key_that_can_be_read_back() {
        for algorithm in ALGORITHMS {
            let der = generate(algorithm).unwrap();
            let key = SigningKey::from_pkcs8(algorithm, &der).unwrap();
            assert_ne!(
                key.kid(),
                SigningKey::from_pkcs8(algorithm, &generate(algorithm).unwrap())
                    .unwrap()
                    .kid()
            );
        }
        assert!(generate(Algorithm::Es384).is_err());
    }
}
