//! The outbox of mails.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use provost_kernel::email::Email;
use provost_store::{MailFilter, MailOutcome, MailState, NewMail, StoreError};
use zeroize::Zeroizing;

use crate::support::*;

fn mail(id: &str) -> NewMail {
    NewMail {
        id: id.to_owned(),
        kind: "invitation".to_owned(),
        recipient: Email::parse("Ada@home-lab.example").unwrap(),
        organization: Some(org()),
        account: None,
        language: Some("de".to_owned()),
        values: BTreeMap::from([("name".to_owned(), "Ada".to_owned())]),
        link: Some(Zeroizing::new(
            "https://sso.example/invite/secret-token".to_owned(),
        )),
    }
}

const LEASE: SignedDuration = SignedDuration::from_secs(60);

conformance! {
    async fn r177_a_mail_is_claimed_by_one_and_tried_again_until_it_left(store, _) {
        seed(&store).await;
        store
            .write(move |tx| {
                Box::pin(async move {
                    tx.queue_mail(&mail("m1"), at(1)).await?;
                    tx.queue_mail(&mail("m2"), at(2)).await?;
                    assert!(tx.has_due_mail(at(2)).await?);
                    let claimed = tx.claim_mails(10, LEASE, at(2)).await?;
                    assert_eq!(claimed.len(), 2);
                    assert_eq!(
                        claimed[0].link.as_ref().map(|link| link.as_str()),
                        Some("https://sso.example/invite/secret-token")
                    );
                    assert!(tx.claim_mails(10, LEASE, at(3)).await?.is_empty(), "claimed already");
                    let failed = MailOutcome::Failed { error: "451 later".to_owned(), retry_at: Some(at(20)) };
                    tx.settle_mail("m1", &failed, at(4)).await?;
                    tx.settle_mail("m2", &MailOutcome::Sent, at(4)).await?;
                    assert!(!tx.has_due_mail(at(19)).await?);
                    let again = tx.claim_mails(10, LEASE, at(20)).await?;
                    assert_eq!(again.len(), 1);
                    assert_eq!(again[0].mail.attempts, 2);
                    assert!(again[0].link.is_some());
                    // Whoever claimed it is gone: after the lease it is another one's turn.
                    let lease_over = at(20).checked_add(LEASE).unwrap();
                    let taken_over = tx.claim_mails(10, LEASE, lease_over).await?;
                    assert_eq!(taken_over.len(), 1);
                    let dead = MailOutcome::Failed { error: "550 no".to_owned(), retry_at: None };
                    tx.settle_mail("m1", &dead, lease_over).await?;
                    let found = tx.mails(&MailFilter { organization: Some(org()), ..MailFilter::default() }, None, 10).await?;
                    let states: Vec<_> = found.iter().map(|mail| (mail.id.as_str(), mail.state)).collect();
                    assert_eq!(states, [("m2", MailState::Sent), ("m1", MailState::Dead)]);
                    assert_eq!(found[1].last_error.as_deref(), Some("550 no"));
                    let by_address = MailFilter {
                        recipient: Some(Email::parse("ada@HOME-LAB.example").unwrap()),
                        state: Some(MailState::Sent),
                        ..MailFilter::default()
                    };
                    assert_eq!(tx.mails(&by_address, None, 10).await?.len(), 1);
                    assert_eq!(tx.purge_mails(at(2), 10).await?, 1, "only what was made before");
                    Ok::<_, StoreError>(())
                })
            })
            .await
            .unwrap();
    }
}
