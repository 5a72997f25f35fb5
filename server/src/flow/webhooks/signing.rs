//! Signing calls as Standard Webhooks describes it: `v1,` and the HMAC-SHA256 over identifier, time and body.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use provost_store::Webhook;

/// Signs a body with every secret of a webhook that is good at this time; the newest first.
pub fn sign(webhook: &Webhook, id: &str, at: Timestamp, body: &str) -> String {
    let previous = webhook
        .secrets
        .get("previous")
        .filter(|_| webhook.previous_until.is_some_and(|until| at < until));
    let secrets = webhook.secrets.get("current").into_iter().chain(previous);
    let signed = format!("{id}.{}.{body}", at.as_second());
    let signatures: Vec<String> = secrets.filter_map(|secret| one(secret, &signed)).collect();
    signatures.join(" ")
}

fn one(secret: &str, signed: &str) -> Option<String> {
    let bytes = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
    let tag = hmac::sign(&key, signed.as_bytes());
    Some(format!("v1,{}", STANDARD.encode(tag.as_ref())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(current: &str, previous: Option<&str>) -> Webhook {
        let mut secrets = provost_store::SecretMap::default();
        secrets.set("current", current);
        if let Some(previous) = previous {
            secrets.set("previous", previous);
        }
        Webhook {
            id: "whk_1".to_owned(),
            organization: None,
            url: "https://app.example/hooks".to_owned(),
            description: None,
            kinds: Vec::new(),
            enabled: true,
            secrets,
            previous_until: Timestamp::from_second(1_614_265_331).ok(),
            failing_since: None,
            disabled_reason: None,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn r188_the_signature_is_the_one_of_the_specification() {
        // The example of the Standard Webhooks specification and its libraries.
        let hook = webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", None);
        let at = Timestamp::from_second(1_614_265_330).unwrap();
        let signed = sign(
            &hook,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            at,
            "{\"test\": 2432232314}",
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn r188_while_a_rotation_goes_on_both_secrets_sign() {
        let hook = webhook(
            "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        );
        let signed = |second| {
            let at = Timestamp::from_second(second).unwrap();
            sign(
                &hook,
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                at,
                "{\"test\": 2432232314}",
            )
        };
        let both = signed(1_614_265_330);
        assert_eq!(both.split(' ').count(), 2, "{both}");
        assert!(
            both.ends_with("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
            "{both}"
        );
        assert_eq!(
            signed(1_614_265_331).split(' ').count(),
            1,
            "and then only the new one"
        );
    }
}
