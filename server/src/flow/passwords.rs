//! Hashing passwords: argon2id, off the async threads, a few at a time.
//!
//! Owns the cost and the bound on memory (a hash takes 19 MiB, so a flood of attempts must queue, not allocate).
//! Never stores or logs a password.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

use crate::error::{AppError, Result};

/// Fewest characters of a new password (ASVS 6.2.1 asks for 8 at least and recommends 15).
pub const MINIMUM: usize = 12;
/// Most bytes of a password; longer ones are refused before any work is done.
pub const MAXIMUM: usize = 256;

/// How many hashes are computed at once. More would only take memory: the work keeps a processor busy.
const AT_ONCE: usize = 4;

/// OWASP's first choice: 19 MiB, two passes, one lane.
fn hasher() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Hashes and verifies. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Passwords {
    slots: Arc<Semaphore>,
    verified: Arc<AtomicU64>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            slots: Arc::new(Semaphore::new(AT_ONCE)),
            verified: Arc::new(AtomicU64::new(0)),
        }
    }
}

impl Passwords {
    /// Hashes a new password with 16 random bytes of salt; returns the PHC string.
    ///
    /// # Errors
    /// 500 when hashing fails.
    pub async fn hash(&self, password: SecretString, salt: [u8; 16]) -> Result<String> {
        self.run(move || {
            let hash = hasher().hash_password_with_salt(password.expose_secret().as_bytes(), &salt);
            hash.map(|hash| hash.to_string())
                .map_err(|error| error.to_string())
        })
        .await?
        .map_err(AppError::internal)
    }

    /// Verifies a password. Without a stored hash the same work is done against a made-up one, so that time does not
    /// tell whether an account exists; the answer then is no.
    ///
    /// # Errors
    /// 500 when the work cannot be run.
    pub async fn verify(&self, password: SecretString, stored: Option<String>) -> Result<bool> {
        self.verified.fetch_add(1, Ordering::Relaxed);
        self.run(move || {
            let is_real = stored.is_some();
            let hash = stored.as_deref().or_else(|| decoy()).unwrap_or_default();
            hasher()
                .verify_password(password.expose_secret().as_bytes(), hash)
                .is_ok()
                && is_real
        })
        .await
    }

    /// Returns how many verifications this node has run: every password attempt costs exactly one.
    pub fn verifications(&self) -> u64 {
        self.verified.load(Ordering::Relaxed)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let slot = Arc::clone(&self.slots)
            .acquire_owned()
            .await
            .map_err(AppError::internal)?;
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(slot);
            done
        })
        .await
        .map_err(AppError::internal)
    }
}

/// A hash that nobody's password has: of the same cost, made once.
fn decoy() -> Option<&'static str> {
    static DECOY: OnceLock<Option<String>> = OnceLock::new();
    let make = || {
        hasher()
            .hash_password_with_salt(b"nobody", b"no account, no 1")
            .ok()
            .map(|hash| hash.to_string())
    };
    DECOY.get_or_init(make).as_deref()
}

#[cfg(test)]
mod tests {
    use super::Passwords;

    #[tokio::test]
    async fn only_the_right_password_of_a_stored_hash_verifies() {
        let passwords = Passwords::default();
        let hash = passwords
            .hash("correct horse battery".into(), [7; 16])
            .await
            .unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(
            passwords
                .verify("correct horse battery".into(), Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .verify("correct horse batterY".into(), Some(hash))
                .await
                .unwrap()
        );
        assert!(!passwords.verify("nobody".into(), None).await.unwrap());
        assert!(
            !passwords
                .verify("x".into(), Some("not a hash".to_owned()))
                .await
                .unwrap()
        );
    }
}
