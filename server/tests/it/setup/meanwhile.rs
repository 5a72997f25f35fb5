//! What others change while something is written back that was read before: nothing of it is lost, and nothing that is gone
//! comes back. The others' transaction is open while ours runs, so that ours has read what theirs changes.

use std::time::Duration;

use futures_util::future::BoxFuture;
use provost::app::App;
use provost::flow::api_keys::Caller;
use provost::flow::setup::{self, editing, links};
use provost_kernel::domain::SignInRule;
use provost_kernel::id::{ConnectionId, OrganizationId};
use provost_kernel::login::rules::SignInPolicy;
use provost_kernel::policy::{Policy, RoleRule};
use provost_store::{StoreError, Tx};
use tokio::sync::oneshot;

use super::{WORLD, ann, begun, by_metadata, link, test_sign_in};
use crate::app::on_each_engine;
use crate::scim::lab;

/// How long the others' transaction is open while ours runs.
const OPEN: Duration = Duration::from_millis(700);

/// Runs `ours` while the transaction of `theirs` is open, and returns what came of it when both have ended.
async fn meanwhile<T>(
    app: &App,
    theirs: impl for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Result<(), StoreError>> + Send + 'static,
    ours: impl Future<Output = T>,
) -> T {
    let (done, is_done) = oneshot::channel();
    let store = app.store.clone();
    let other = tokio::spawn(async move {
        let job = store.write(move |tx| {
            Box::pin(async move {
                theirs(tx).await?;
                done.send(()).unwrap();
                tokio::time::sleep(OPEN).await;
                Ok::<_, StoreError>(())
            })
        });
        job.await
    });
    is_done.await.unwrap();
    let outcome = ours.await;
    other.await.unwrap().unwrap();
    outcome
}

/// Names the type of what others do.
fn job<F>(theirs: F) -> F
where
    F: for<'a> FnOnce(&'a mut Tx) -> BoxFuture<'a, Result<(), StoreError>> + Send + 'static,
{
    theirs
}

/// The organizations of the world with one thing replaced.
fn organizations(from: &str, to: &str) -> String {
    let (organizations, _) = WORLD.split_once("connections:").unwrap();
    assert!(organizations.contains(from), "{from}");
    organizations.replace(from, to)
}

#[tokio::test]
async fn a_document_undoes_no_demand_and_no_loss_of_a_domain() {
    on_each_engine(|app| async move {
        lab::apply(&app.app, WORLD).await;
        let (id, now) = (OrganizationId::new("acme"), app.app.world.now());
        let renamed = organizations("name: Acme", "name: Acme Ltd");
        let demand = {
            let id = id.clone();
            job(move |tx| {
                Box::pin(async move {
                    let mut record = tx.organization(&id).await?.unwrap();
                    let policy = SignInPolicy {
                        sso: SignInRule::Required,
                        ..SignInPolicy::default()
                    };
                    provost::flow::enforcement::put_into(&mut record.settings, &policy);
                    tx.put_organization(&record.organization, &record.settings, now)
                        .await
                })
            })
        };
        meanwhile(&app.app, demand, Box::pin(lab::apply(&app.app, &renamed))).await;

        let settled = organizations(
            "verified: true",
            "verified: false, prevent_outside_sign_ups: true",
        );
        let withdraw = {
            let id = id.clone();
            job(move |tx| {
                Box::pin(async move {
                    let mut known = tx.lock_domain(&id, "acme.example").await?.unwrap();
                    known.claim = known.claim.withdrawn("its record is gone");
                    tx.put_domain_claim(&known, now).await
                })
            })
        };
        meanwhile(&app.app, withdraw, Box::pin(lab::apply(&app.app, &settled))).await;

        let read = app.app.store.read(|reader| {
            Box::pin(async move {
                let record = reader.organization(&id).await?.unwrap();
                let claim = reader.domain_claim(&id, "acme.example").await?.unwrap();
                Ok::<_, StoreError>((record, claim))
            })
        });
        let (record, claim) = read.await.unwrap();
        assert_eq!(SignInPolicy::read(&record.settings).sso, SignInRule::Required);
        assert!(!claim.claim.state.is_in_force(), "{claim:?}");
        assert_eq!(claim.domain.settings["prevent_outside_sign_ups"], true);
    })
    .await;
}

#[tokio::test]
async fn an_edit_of_a_connection_keeps_what_others_changed_and_makes_no_deleted_one_anew() {
    on_each_engine(|app| async move {
        lab::apply(&app.app, WORLD).await;
        let (id, now) = (ConnectionId::new("globex-idp"), app.app.world.now());
        let caller = Caller::operator();
        let rename = || {
            editing::edit(&app.app, &caller, "globex-idp", |entry| {
                entry.name = Some("New".to_owned());
            })
        };
        let tighten = {
            let id = id.clone();
            job(move |tx| {
                Box::pin(async move {
                    let mut record = tx.lock_connection(&id).await?.unwrap();
                    record.connection.enabled = false;
                    record.connection.policy = Some(Policy {
                        role: Some(RoleRule::Fixed("Owner".to_owned())),
                        ..Policy::default()
                    });
                    let (config, secrets) = (&record.protocol_config, &record.secrets);
                    let put = tx.put_connection(&record.connection, config, secrets, &record.status, now);
                    put.await.map(drop)
                })
            })
        };
        meanwhile(&app.app, tighten, rename()).await.unwrap();
        let wanted = id.clone();
        let read = app
            .app
            .store
            .read(|reader| Box::pin(async move { reader.connection(&wanted).await }));
        let edited = read.await.unwrap().unwrap().connection;
        assert_eq!(edited.name, "New");
        assert!(!edited.enabled && edited.policy.is_some(), "{edited:?}");

        let wanted = id.clone();
        let delete = job(move |tx| Box::pin(async move { tx.delete_connection(&wanted).await.map(drop) }));
        let rename = editing::edit(&app.app, &caller, "globex-idp", |entry| {
            entry.name = Some("Old".to_owned());
        });
        let refused = meanwhile(&app.app, delete, rename).await.unwrap_err();
        assert_eq!(refused.code(), "not_found");
        let read = app
            .app
            .store
            .read(|reader| Box::pin(async move { reader.connection(&id).await }));
        assert!(read.await.unwrap().is_none(), "the edit made it anew");
    })
    .await;
}

#[tokio::test]
async fn going_live_serves_a_domain_that_was_verified_at_that_moment_and_no_draft_comes_back() {
    on_each_engine(|app| async move {
        let (mut olga, metadata, setup, id) = begun(&app, "saml.saml").await;
        let late = organizations(
            "domains: [{",
            "domains: [{ name: late.example, verified: false }, {",
        );
        lab::apply(&app.app, &late).await;
        let caller = Caller::operator();
        let names = vec!["late.example".to_owned()];
        setup::choose_domains(&app.app, &caller, "acme", &id, names)
            .await
            .unwrap();
        by_metadata(&mut olga, &setup, &metadata).await;
        test_sign_in(&app, &mut olga, &setup, &id, &ann()).await;
        let (owner, now) = (OrganizationId::new("acme"), app.app.world.now());
        let verify = {
            let owner = owner.clone();
            job(move |tx| {
                Box::pin(async move {
                    let mut known = tx.lock_domain(&owner, "late.example").await?.unwrap();
                    known.claim = known.claim.vouched();
                    tx.put_domain_claim(&known, now).await
                })
            })
        };
        let live = setup::go_live(&app.app, &caller, "acme", &id);
        meanwhile(&app.app, verify, live).await.unwrap();
        let wanted = ConnectionId::new(&id);
        let read = app.app.store.read(|reader| {
            Box::pin(async move {
                let claim = reader.domain_claim(&owner, "late.example").await?.unwrap();
                let record = reader.connection(&wanted).await?.unwrap();
                Ok::<_, StoreError>((claim, record, reader.draft(&wanted).await?))
            })
        });
        let (claim, record, draft) = read.await.unwrap();
        assert!(claim.claim.state.is_in_force(), "{claim:?}");
        assert_eq!(record.connection.domains, ["late.example"]);
        assert!(record.connection.enabled && draft.is_none());
    })
    .await;
}

#[tokio::test]
async fn a_draft_keeps_what_two_change_and_stays_discarded() {
    on_each_engine(|app| async move {
        let (_, _, _, id) = begun(&app, "saml.saml").await;
        let (caller, now) = (Caller::operator(), app.app.world.now());
        let draft = ConnectionId::new(&id);
        let choose = {
            let draft = draft.clone();
            job(move |tx| {
                Box::pin(async move {
                    let mut record = tx.draft_to_change(&draft).await?.unwrap();
                    record.document["domains_seen"] = true.into();
                    tx.change_draft(&record, now).await.map(drop)
                })
            })
        };
        let leave = setup::leave_policy(&app.app, &caller, "acme", &id);
        meanwhile(&app.app, choose, leave).await.unwrap();
        let kept = setup::one(&app.app, &caller, "acme", &id).await.unwrap().draft;
        assert!(kept.domains_seen && kept.policy_seen, "{kept:?}");

        let discard = job(move |tx| Box::pin(async move { tx.delete_draft(&draft).await.map(drop) }));
        let leave = setup::leave_policy(&app.app, &caller, "acme", &id);
        let refused = meanwhile(&app.app, discard, leave).await.unwrap_err();
        assert_eq!(refused.code(), "not_found");
        assert!(setup::list(&app.app, &caller, "acme").await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_link_that_is_taken_back_takes_the_one_back_that_is_made_with_it_at_that_moment() {
    on_each_engine(|app| async move {
        lab::apply(&app.app, WORLD).await;
        let caller = Caller::operator();
        let (id, _) = link(&app, &[links::Scope::Sso], None).await;
        let parent = links::one(&app.app, &caller, "acme", &id).await.unwrap();
        let ask = job(move |tx| {
            Box::pin(async move {
                tx.lock_organization(&parent.organization).await?;
                let mut made = parent.clone();
                made.id = "sul_kim".to_owned();
                made.asked_from = Some(parent.id);
                tx.insert_setup_link(&made, "digest-of-kim").await
            })
        });
        let revoke = links::revoke(&app.app, &caller, "acme", &id);
        meanwhile(&app.app, ask, revoke).await.unwrap();
        let kim = links::one(&app.app, &caller, "acme", "sul_kim").await.unwrap();
        assert!(kim.revoked_at.is_some(), "{kim:?}");
    })
    .await;
}
