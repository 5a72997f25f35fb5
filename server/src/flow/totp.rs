//! Codes of authenticator apps (RFC 6238): secrets, addresses and pictures to scan, checking a code. Pure but for the secret that
//! is handed in. Spending a code is the store's part.

use jiff::Timestamp;
use provost_store::SecondFactor;
use qrcode::QrCode;
use qrcode::render::svg;
use totp_rs::{Builder, Totp};

use crate::error::{AppError, Result};

/// Name under which authenticator apps show the account.
const ISSUER: &str = "Provost";

/// An authenticator app that is being set up.
pub struct SetUp {
    /// The secret, for typing, in groups of four.
    pub secret: String,
    /// Address that authenticator apps read.
    pub address: String,
    /// The address as a picture to scan: SVG without scripts or references.
    pub picture: String,
}

/// Describes a secret for an authenticator app.
///
/// # Errors
/// 500 for a secret that is none.
pub fn set_up(secret: &[u8; 20], account: &str) -> Result<SetUp> {
    let totp = totp(secret, account)?;
    let address = totp
        .to_url()
        .map_err(|error| AppError::internal(error.to_string()))?;
    let code = QrCode::new(address.as_bytes()).map_err(|error| AppError::internal(error.to_string()))?;
    let picture = code.render::<svg::Color<'_>>().min_dimensions(200, 200).build();
    let letters: Vec<char> = totp.secret().to_base32().chars().collect();
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    Ok(SetUp {
        secret: groups.join(" "),
        address,
        picture,
    })
}

/// Checks a code against a secret; returns the time step that it belongs to. One step of drift to either side is tolerated.
pub fn step_of(secret: &[u8], code: &str, now: Timestamp) -> Option<i64> {
    let code: String = code.chars().filter(|letter| !letter.is_whitespace()).collect();
    if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = u64::try_from(now.as_second()).ok()?;
    let secret: [u8; 20] = secret.try_into().ok()?;
    let step = totp(&secret, "account").ok()?.check(&code, seconds)?;
    i64::try_from(step).ok()
}

/// Finds the authenticator app among an account's factors whose code this is, and the code's time step.
pub fn find<'a>(factors: &'a [SecondFactor], code: &str, now: Timestamp) -> Option<(&'a SecondFactor, i64)> {
    factors.iter().find_map(|factor| {
        let step = step_of(factor.secret.as_ref()?, code, now)?;
        Some((factor, step))
    })
}

fn totp(secret: &[u8; 20], account: &str) -> Result<Totp> {
    // A colon would end the name of the issuer.
    let account = account.replace(':', " ");
    Builder::new()
        .with_secret(secret.to_vec())
        .with_account_name(account)
        .with_issuer(Some(ISSUER))
        .build()
        .map_err(|error| AppError::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{set_up, step_of};

    /// RFC 6238 appendix B, SHA-1, cut to six digits.
    #[test]
    fn codes_are_those_of_the_rfc() {
        let secret = b"12345678901234567890";
        for (second, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            let now = Timestamp::from_second(second).unwrap();
            assert_eq!(step_of(secret, code, now), Some(second / 30), "{second}");
            assert_eq!(
                step_of(secret, &format!(" {} {} ", &code[..3], &code[3..]), now),
                Some(second / 30)
            );
        }
    }

    #[test]
    fn one_step_of_drift_is_tolerated_and_no_more() {
        let secret = b"12345678901234567890";
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let code = "005924";
        let middle = 1_234_567_890;
        for (shift, fits) in [(-60, false), (-30, true), (0, true), (30, true), (60, false)] {
            assert_eq!(
                step_of(secret, code, at(middle + shift)).is_some(),
                fits,
                "{shift}"
            );
        }
        for wrong in [
            "",
            "00592",
            "0059240",
            "00592a",
            "٠٠٥٩٢٤",
            "-05924",
            "999999999999999999999",
        ] {
            assert_eq!(step_of(secret, wrong, at(middle)), None, "{wrong}");
        }
        assert_eq!(step_of(b"short", code, at(middle)), None);
    }

    #[test]
    fn the_picture_and_the_address_hold_the_secret_and_no_script() {
        let shown = set_up(b"12345678901234567890", "ann:x@home-lab.example").unwrap();
        assert!(shown.address.starts_with("otpauth://totp/"), "{}", shown.address);
        assert!(
            shown.address.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
            "{}",
            shown.address
        );
        assert_eq!(shown.secret.replace(' ', ""), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert!(shown.picture.contains("<svg"), "{}", shown.picture);
        assert!(!shown.picture.contains("script") && !shown.picture.contains("href"));
    }
}
