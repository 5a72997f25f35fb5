//! The world: clock, identifiers and random secrets. The only module that reads a clock or a random source.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use provost_kernel::id::{AccountId, SessionId, TraceId};
use provost_kernel::incoming::Fresh;

/// Bits of an identifier that count within one millisecond (`rand_a` of RFC 9562 section 5.7).
const COUNT_BITS: u32 = 12;

/// Clock, identifiers and random values. Cheap to clone.
#[derive(Clone, Debug)]
pub struct World {
    random: SystemRandom,
    /// Milliseconds added to the machine's clock; zero outside tests.
    offset: Arc<AtomicI64>,
    /// What the newest identifier says of its time: milliseconds and, in the lowest twelve bits, the count within one.
    newest: Arc<AtomicU64>,
}

/// A random token and the digest that is stored in its place.
pub struct Token {
    /// What the holder gets, once: base64url of 256 random bits, with a prefix that tells its kind.
    pub secret: secrecy::SecretString,
    /// SHA-256 of the token in hex; the only form that is stored.
    pub digest: String,
}

/// The operating system gave no random bytes.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoRandomness;

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// Creates the real world.
    pub fn new() -> Self {
        Self {
            random: SystemRandom::new(),
            offset: Arc::new(AtomicI64::new(0)),
            newest: Arc::new(AtomicU64::new(0)),
        }
    }

    /// Returns the present time.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub fn now(&self) -> Timestamp {
        let offset = SignedDuration::from_millis(self.offset.load(Ordering::Relaxed));
        let now = Timestamp::now();
        now.checked_add(offset).unwrap_or(now)
    }

    /// Moves this world's clock forward; tests use it instead of waiting.
    pub fn advance(&self, by: SignedDuration) {
        let milliseconds = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.offset.fetch_add(milliseconds, Ordering::Relaxed);
    }

    /// Fills an array with random bytes.
    ///
    /// # Errors
    /// [`NoRandomness`] when the operating system has none; nothing may go on without.
    pub fn bytes<const N: usize>(&self) -> Result<[u8; N], NoRandomness> {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes).map_err(|_| NoRandomness)?;
        Ok(bytes)
    }

    /// Makes a token of 256 random bits with a prefix such as `pvs_`.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn token(&self, prefix: &str) -> Result<Token, NoRandomness> {
        let text = format!("{prefix}{}", URL_SAFE_NO_PAD.encode(self.bytes::<32>()?));
        let digest = digest_of(&text);
        Ok(Token {
            secret: text.into(),
            digest,
        })
    }

    /// Makes an identifier: a prefix and a UUID version 7. The ids of one node rise strictly, within a millisecond too
    /// (RFC 9562 section 6.2, method 1), so that lists in their order tell what came first.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn id(&self, prefix: &str) -> Result<String, NoRandomness> {
        let mut random = self.bytes::<10>()?;
        let [high, low, ..] = random;
        let (millis, count) = self.rising(u16::from_be_bytes([high, low]));
        let [high, low] = count.to_be_bytes();
        (random[0], random[1]) = (high, low);
        let uuid = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        Ok(format!("{prefix}{}", uuid.simple()))
    }

    /// Takes the next place in time: now with a random count of eleven bits, so that a twelfth is left to count on, or
    /// one more than the newest where that is not later.
    fn rising(&self, random: u16) -> (u64, u16) {
        let now = u64::try_from(self.now().as_millisecond()).unwrap_or_default();
        let earliest = now << COUNT_BITS | u64::from(random & 0x7ff);
        let after = |newest: u64| earliest.max(newest + 1);
        let before = self
            .newest
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |newest| Some(after(newest)))
            .unwrap_or_else(|newest| newest);
        let taken = after(before);
        let count = u16::try_from(taken & 0xfff).unwrap_or_default();
        (taken >> COUNT_BITS, count)
    }

    /// Makes the identifiers that one decision may need, and the cookie token of a session it may open.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn fresh(&self) -> Result<(Fresh, Token), NoRandomness> {
        let session = self.token("pvs_")?;
        let fresh = Fresh {
            account: AccountId::new(self.id("acc_")?),
            session: SessionId::new(self.id("ses_")?),
            session_digest: session.digest.clone(),
            trace: TraceId::new(self.reference()?),
        };
        Ok((fresh, session))
    }

    /// Makes a reference number that a person can read out: 12 characters without look-alikes, in groups of four.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn reference(&self) -> Result<String, NoRandomness> {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let letters: Vec<char> = self
            .bytes::<12>()?
            .iter()
            .filter_map(|byte| ALPHABET.get(usize::from(byte & 31)).copied().map(char::from))
            .collect();
        Ok(letters
            .chunks(4)
            .map(|group| group.iter().collect::<String>())
            .collect::<Vec<_>>()
            .join("-"))
    }
}

/// Returns the SHA-256 of a token in hex: what is stored and looked up instead of the token.
pub fn digest_of(token: &str) -> String {
    digest(&SHA256, token.as_bytes())
        .as_ref()
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            use std::fmt::Write as _;
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_of_one_node_rise_within_a_millisecond_too() {
        let world = World::new();
        let ids: Vec<String> = (0..20_000).map(|_| world.clone().id("x_").unwrap()).collect();
        assert!(ids.is_sorted_by(|earlier, later| earlier < later));
        let parsed = uuid::Uuid::parse_str(ids[0].strip_prefix("x_").unwrap()).unwrap();
        assert_eq!(parsed.get_version_num(), 7);
        assert_eq!(parsed.get_variant(), uuid::Variant::RFC4122);
    }

    #[test]
    fn identifiers_rise_where_the_clock_goes_back() {
        let world = World::new();
        world.advance(SignedDuration::from_hours(1));
        let later = world.id("").unwrap();
        world.advance(SignedDuration::from_hours(-1));
        assert!(world.id("").unwrap() > later);
    }
}
