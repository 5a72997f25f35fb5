//! Facts and decisions: every change is written and read back as it was planned.

use provost_kernel::denial::Denial;
use provost_kernel::directory::{
    Account, AccountKind, Authentication, Grant, LicenseGrant, Membership, Origin, Role, Source, Status,
};
use provost_kernel::email::Email;
use provost_kernel::facts::{AccountFacts, Facts, Need, OrganizationsNeeded};
use provost_kernel::id::AccountId;
use provost_kernel::plan::{Change, MembershipEdit, ProfilePatch, Verdict};
use provost_store::Store;
use serde_json::json;

use crate::support::*;

async fn facts(store: &Store, need: Need) -> Facts {
    store
        .read(|reader| Box::pin(async move { reader.facts(&need).await }))
        .await
        .unwrap()
}

async fn loaded(store: &Store, id: &str) -> AccountFacts {
    let need = Need {
        accounts: vec![id.into()],
        ..Need::default()
    };
    facts(store, need).await.accounts.pop().unwrap()
}

fn update(version: i64, edits: Vec<MembershipEdit>) -> Change {
    Change::UpdateMembership {
        account: "ada".into(),
        organization: org(),
        version,
        edits,
    }
}

conformance! {
    async fn a_created_account_is_loaded_as_it_was_planned(store, _) {
        seed(&store).await;
        let membership = membership(Some(seat("standard", true)));
        let changes = vec![
            create(account("ada")),
            Change::Link { account: "ada".into(), link: link("S-1") },
            Change::AddMembership { account: "ada".into(), membership: membership.clone() },
        ];
        let applied = apply(&store, decision("t1", "ada", changes)).await.unwrap();
        assert_eq!((applied.changes, applied.traced), (3, true));
        let found = loaded(&store, "ada").await;
        let expected = AccountFacts { account: account("ada"), links: vec![link("S-1")], memberships: vec![membership] };
        assert_eq!(found, expected);
    }

    async fn facts_load_what_is_needed_and_no_more(store, _) {
        seed(&store).await;
        let changes = vec![
            create(account("ada")),
            Change::Link { account: "ada".into(), link: link("S-1") },
            Change::AddMembership { account: "ada".into(), membership: membership(Some(seat("standard", true))) },
            create(standard("bob")),
        ];
        apply(&store, decision("t1", "ada", changes)).await.unwrap();

        assert_eq!(facts(&store, Need::default()).await, Facts::default());
        let by_subject = facts(&store, Need { subject: Some((okta(), subject("S-1"))), ..Need::default() }).await;
        assert_eq!(by_subject.linked.unwrap().account, account("ada"));
        assert!(by_subject.near_subjects.is_empty() && by_subject.candidates.is_empty());
        // another letter case is no match, but it is told.
        let near = facts(&store, Need { subject: Some((okta(), subject("s-1"))), ..Need::default() }).await;
        assert!(near.linked.is_none());
        assert_eq!(near.near_subjects, ["S-1"]);
        let elsewhere = Need { subject: Some(("second".into(), subject("S-1"))), ..Need::default() };
        assert_eq!(facts(&store, elsewhere).await, Facts::default());

        let need = Need {
            email_key: Some("ada@home-lab.example".to_owned()),
            external_id: Some((okta(), "ext-ada".to_owned())),
            user_name: Some((okta(), "ADA.name".to_owned())),
            ..Need::default()
        };
        let found = facts(&store, need).await;
        assert_eq!(found.candidates.len(), 1, "found three ways, returned once");
        // Organizations of memberships are always loaded.
        let home = &found.organizations[0];
        assert_eq!(found.organizations.len(), 1);
        assert_eq!(home.roles, roles());
        assert_eq!(home.owners, ["ada".into()]);
        let used: Vec<_> = home.licenses.iter().map(|pool| (pool.license.id.as_str(), pool.used)).collect();
        assert_eq!(used, [("standard", 1), ("open", 0)]);
        assert_eq!(home.workspaces.len(), 2);

        let all = facts(&store, Need { organizations: OrganizationsNeeded::All, ..Need::default() }).await;
        assert_eq!(all.organizations.len(), 2);
        let ids = store.read(|reader| Box::pin(async move { reader.organization_ids().await })).await.unwrap();
        assert_eq!(ids, ["home-lab".into(), "other".into()]);
        let one = OrganizationsNeeded::Ids(vec!["other".into(), "unknown".into()]);
        let one = facts(&store, Need { organizations: one, ..Need::default() }).await;
        assert_eq!(one.organizations.len(), 1);
        let other = Need { user_name: Some(("second".into(), "ada.name".to_owned())), ..Need::default() };
        assert!(facts(&store, other).await.candidates.is_empty(), "names belong to one connection");
    }

    /// R-148 needs to know whether somebody is the last owner; it must not cost a walk over all members.
    async fn r148_the_first_two_active_owners_are_loaded_however_many_owner_roles_there_are(store, _) {
        seed(&store).await;
        let mut changes = Vec::new();
        for (id, status, active) in [
            ("ada", Status::Suspended, true),
            ("bob", Status::Active, false),
            ("cyd", Status::Active, true),
            ("dan", Status::Active, true),
            ("eve", Status::Active, true),
        ] {
            changes.push(create(Account { status, ..account(id) }));
            let held = Membership { active, ..membership(None) };
            changes.push(Change::AddMembership { account: id.into(), membership: held });
        }
        apply(&store, decision("t1", "cyd", changes)).await.unwrap();
        let need = Need { organizations: OrganizationsNeeded::All, ..Need::default() };
        let owners = |facts: Facts| -> Vec<(String, Vec<String>)> {
            let names = |ids: &[AccountId]| ids.iter().map(|id| id.as_str().to_owned()).collect();
            facts.organizations.iter().map(|one| (one.organization.id.as_str().to_owned(), names(&one.owners))).collect()
        };
        let expected = [
            ("home-lab".to_owned(), vec!["cyd".to_owned(), "dan".to_owned()]),
            ("other".to_owned(), Vec::new()),
        ];
        assert_eq!(owners(facts(&store, need.clone()).await), expected);

        // More owner roles than are asked about one by one.
        let many = (0..12).map(|n| {
            serde_json::from_value(json!({"id": format!("owner-{n}"), "name": format!("Owner {n}"), "owner": true})).unwrap()
        });
        let many: Vec<Role> = many.collect();
        store
            .write(move |tx| Box::pin(async move { tx.set_roles(&"other".into(), &many).await }))
            .await
            .unwrap();
        assert_eq!(owners(facts(&store, need).await), expected);
    }

    async fn a_profile_patch_sets_what_it_names_and_nothing_else(store, _) {
        seed(&store).await;
        apply(&store, decision("t1", "ada", vec![create(account("ada"))])).await.unwrap();
        let set = ProfilePatch {
            kind: Some(AccountKind::Reader),
            email: Some(Some(Email::parse("Ada.L@home-lab.example").unwrap())),
            user_name: Some(None),
            given_name: Some(Some("Augusta".to_owned())),
            operator: Some(true),
            attributes: Some(json!({"a": [1, null]}).as_object().cloned().unwrap()),
            ..ProfilePatch::default()
        };
        let change = Change::UpdateProfile { account: "ada".into(), version: 1, set, before: ProfilePatch::default() };
        apply(&store, decision("t2", "ada", vec![change])).await.unwrap();
        let mut expected = account("ada");
        expected.kind = AccountKind::Reader;
        expected.email = Some(Email::parse("Ada.L@home-lab.example").unwrap());
        expected.user_name = None;
        expected.given_name = Some("Augusta".to_owned());
        expected.operator = true;
        expected.attributes = json!({"a": [1, null]}).as_object().cloned().unwrap();
        expected.version = 2;
        assert_eq!(loaded(&store, "ada").await.account, expected);
    }

    async fn every_membership_edit_is_read_back(store, _) {
        seed(&store).await;
        another_owner(&store).await;
        let changes = vec![
            create(account("ada")),
            Change::AddMembership { account: "ada".into(), membership: membership(None) },
        ];
        apply(&store, decision("t1", "ada", changes)).await.unwrap();
        let scim = Source::Scim { connection: okta() };
        let edits = vec![
            MembershipEdit::GrantRole { role: "member".into(), source: rule(), pinned: false },
            MembershipEdit::RevokeRole { role: "owner".into() },
            MembershipEdit::GrantWorkspace { workspace: "lab".into(), source: scim.clone(), pinned: true },
            MembershipEdit::RevokeWorkspace { workspace: "main".into() },
            MembershipEdit::SetAllWorkspaces { source: Some(scim.clone()) },
            MembershipEdit::SetLicense { from: None, to: Some(seat("standard", true)) },
            MembershipEdit::SetActive { active: false },
            MembershipEdit::SetPinned { pinned: true },
        ];
        apply(&store, decision("t2", "ada", vec![update(1, edits)])).await.unwrap();
        let mut expected = membership(Some(seat("standard", true)));
        expected.roles = vec![Grant { id: "member".into(), source: rule(), pinned: false }];
        expected.workspaces = vec![Grant { id: "lab".into(), source: scim.clone(), pinned: true }];
        expected.all_workspaces = Some(scim);
        expected.active = false;
        expected.pinned = true;
        expected.version = 2;
        assert_eq!(loaded(&store, "ada").await.memberships, [expected]);
        let edits = vec![
            MembershipEdit::SetAllWorkspaces { source: None },
            MembershipEdit::GrantRole { role: "member".into(), source: Source::Manual, pinned: true },
            MembershipEdit::SetLicense { from: None, to: None },
        ];
        apply(&store, decision("t3", "ada", vec![update(2, edits)])).await.unwrap();
        let found = loaded(&store, "ada").await.memberships.pop().unwrap();
        assert_eq!((found.all_workspaces, found.license, found.version), (None, None, 3));
        assert_eq!(found.roles, [Grant { id: "member".into(), source: Source::Manual, pinned: true }]);
    }

    async fn a_removed_membership_frees_its_seat(store, _) {
        seed(&store).await;
        another_owner(&store).await;
        let with_seat = membership(Some(seat("standard", true)));
        let changes = vec![
            create(account("ada")),
            Change::AddMembership { account: "ada".into(), membership: with_seat.clone() },
        ];
        apply(&store, decision("t1", "ada", changes)).await.unwrap();
        let remove = |version| Change::RemoveMembership {
            account: "ada".into(),
            organization: org(),
            version,
            before: Box::new(with_seat.clone()),
        };
        let error = apply(&store, decision("t2", "ada", vec![remove(7)])).await.unwrap_err();
        assert_eq!(error.to_string(), "the write conflicts with membership_version");
        assert_eq!(used(&store).await, 1, "the failed plan freed nothing");
        apply(&store, decision("t3", "ada", vec![remove(1)])).await.unwrap();
        assert!(loaded(&store, "ada").await.memberships.is_empty());
        assert_eq!(used(&store).await, 0);
    }

    async fn two_seats_of_one_pool_are_taken_by_one_plan(store, _) {
        seed(&store).await;
        let changes = ["a", "b"].iter().flat_map(|id| {
            let join = Change::AddMembership {
                account: (*id).into(),
                membership: membership(Some(seat("standard", true))),
            };
            [create(account(id)), join]
        });
        apply(&store, decision("both", "a", changes.collect())).await.unwrap();
        assert_eq!(used(&store).await, 2);
    }

    async fn seats_are_never_over_assigned_and_waiting_takes_none(store, _) {
        seed(&store).await;
        for (id, seated) in [("a", true), ("b", true), ("c", false)] {
            let join = Change::AddMembership {
                account: id.into(),
                membership: membership(Some(seat("standard", seated))),
            };
            apply(&store, decision(id, id, vec![create(account(id)), join])).await.unwrap();
        }
        let promote = Change::UpdateMembership {
            account: "c".into(),
            organization: org(),
            version: 1,
            edits: vec![MembershipEdit::SetLicense { from: None, to: Some(seat("standard", true)) }],
        };
        let error = apply(&store, decision("t", "c", vec![promote])).await.unwrap_err();
        assert_eq!(error.to_string(), "the write conflicts with license_seats");
        assert_eq!(used(&store).await, 2);
        // Pinning a license in a full pool takes no second seat.
        let pinned = LicenseGrant { pinned: true, ..seat("standard", true) };
        let pin = Change::UpdateMembership {
            account: "a".into(),
            organization: org(),
            version: 1,
            edits: vec![MembershipEdit::SetLicense { from: Some(seat("standard", true)), to: Some(pinned) }],
        };
        apply(&store, decision("t2", "a", vec![pin])).await.unwrap();
        assert_eq!(used(&store).await, 2);
    }

    async fn a_stale_version_is_a_conflict_and_nothing_stays(store, _) {
        seed(&store).await;
        apply(&store, decision("t1", "ada", vec![create(account("ada"))])).await.unwrap();
        let rename = |version, name: &str| Change::UpdateProfile {
            account: "ada".into(),
            version,
            set: ProfilePatch { given_name: Some(Some(name.to_owned())), ..ProfilePatch::default() },
            before: ProfilePatch::default(),
        };
        apply(&store, decision("t2", "ada", vec![rename(1, "first")])).await.unwrap();
        let stale = vec![create(account("eve")), rename(1, "second")];
        let error = apply(&store, decision("t3", "ada", stale)).await.unwrap_err();
        assert_eq!((error.code(), error.is_retryable()), ("conflict", true));
        assert_eq!(error.to_string(), "the write conflicts with account_version");
        let need = Need { accounts: vec!["ada".into(), "eve".into()], ..Need::default() };
        let left = facts(&store, need).await.accounts;
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].account.given_name.as_deref(), Some("first"));
        let events = store.read(|reader| Box::pin(async move { reader.events(0, 100).await })).await.unwrap();
        assert_eq!(events.len(), 2, "a failed decision leaves no event");
    }

    async fn several_changes_of_one_account_count_one_version(store, _) {
        seed(&store).await;
        apply(&store, decision("t1", "bob", vec![create(standard("bob"))])).await.unwrap();
        let changes = vec![
            Change::SetAuthentication {
                account: "bob".into(),
                version: 1,
                from: Authentication::Standard,
                to: Authentication::Sso { connection: okta() },
            },
            Change::Link { account: "bob".into(), link: link("S-2") },
            Change::SetStatus {
                account: "bob".into(),
                version: 1,
                from: Status::Active,
                to: Status::Suspended,
                origin: Origin::Admin,
            },
        ];
        apply(&store, decision("t2", "bob", changes)).await.unwrap();
        let bob = loaded(&store, "bob").await.account;
        assert_eq!((bob.version, bob.status, bob.status_origin), (2, Status::Suspended, Origin::Admin));
        assert_eq!(bob.authentication, Authentication::Sso { connection: okta() });
        let unlink = vec![Change::Unlink { account: "bob".into(), link: link("S-2") }];
        apply(&store, decision("t3", "bob", unlink.clone())).await.unwrap();
        assert!(loaded(&store, "bob").await.links.is_empty());
        assert_eq!(apply(&store, decision("t4", "bob", unlink)).await.unwrap_err().code(), "conflict");
    }

    async fn a_password_proves_somebody_only_as_long_as_it_is_the_present_one(store, _) {
        seed(&store).await;
        apply(&store, decision("t1", "bob", vec![create(standard("bob"))])).await.unwrap();
        let proven = store
            .write(|tx| {
                Box::pin(async move {
                    let bob = AccountId::new("bob");
                    tx.set_password_hash(&bob, "$argon2id$x", at(1)).await?;
                    let first = tx.prove_password(&bob, "$argon2id$x", at(2)).await?;
                    tx.set_password_hash(&bob, "$argon2id$y", at(3)).await?;
                    let late = tx.prove_password(&bob, "$argon2id$x", at(4)).await?;
                    let nobody = tx.prove_password(&"eve".into(), "$argon2id$y", at(4)).await?;
                    Ok::<_, provost_store::StoreError>([first, late, nobody])
                })
            })
            .await
            .unwrap();
        assert_eq!(proven, [true, false, false]);
    }

    async fn r02_becoming_sso_ends_the_password_and_none_can_be_set_again(store, _) {
        seed(&store).await;
        apply(&store, decision("t1", "bob", vec![create(standard("bob"))])).await.unwrap();
        let set = |store: Store| async move {
            store
                .write(|tx| Box::pin(async move { tx.set_password_hash(&"bob".into(), "$argon2id$x", at(1)).await }))
                .await
        };
        set(store.clone()).await.unwrap();
        let hash = |store: Store| async move {
            store.read(|reader| Box::pin(async move { reader.password_hash(&"bob".into()).await })).await.unwrap()
        };
        assert_eq!(hash(store.clone()).await.as_deref(), Some("$argon2id$x"));
        let change = Change::SetAuthentication {
            account: "bob".into(),
            version: 1,
            from: Authentication::Standard,
            to: Authentication::Sso { connection: okta() },
        };
        apply(&store, decision("t2", "bob", vec![change])).await.unwrap();
        assert_eq!(hash(store.clone()).await, None);
        assert_eq!(set(store.clone()).await.unwrap_err().code(), "refused");
    }

    async fn r98_one_address_may_be_standard_and_sso_but_not_twice_the_same(store, _) {
        seed(&store).await;
        let twin = |id: &str, base: provost_kernel::directory::Account| {
            let email = Some(Email::parse("ADA@home-lab.example").unwrap());
            let (user_name, external_id) = (None, None);
            create(Account { email, user_name, external_id, ..base }.with_id(id))
        };
        apply(&store, decision("t1", "a", vec![twin("a", account("a"))])).await.unwrap();
        apply(&store, decision("t2", "b", vec![twin("b", standard("b"))])).await.unwrap();
        let again = apply(&store, decision("t3", "c", vec![twin("c", account("c"))])).await.unwrap_err();
        assert_eq!(again.to_string(), "the write conflicts with accounts_sso_email");
        let again = apply(&store, decision("t4", "d", vec![twin("d", standard("d"))])).await.unwrap_err();
        assert_eq!(again.to_string(), "the write conflicts with accounts_standard_email");
    }

    async fn unique_indexes_have_the_same_names_on_both_engines(store, _) {
        seed(&store).await;
        let changes = vec![create(account("ada")), Change::Link { account: "ada".into(), link: link("S-1") }];
        apply(&store, decision("t1", "ada", changes)).await.unwrap();
        let blank = |id: &str| {
            let mut account = account(id);
            (account.user_name, account.external_id) = (None, None);
            account
        };
        let mut by_name = blank("b");
        by_name.user_name = Some("ADA.NAME".to_owned());
        let mut by_external = blank("b");
        by_external.external_id = Some("ext-ada".to_owned());
        let linked = vec![create(blank("b")), Change::Link { account: "b".into(), link: link("S-1") }];
        for (changes, constraint) in [
            (vec![create(by_name)], "accounts_user_name"),
            (vec![create(by_external)], "accounts_external_id"),
            (linked, "links_subject"),
            (vec![create(account("ada"))], "accounts_pkey"),
        ] {
            let error = apply(&store, decision("t", "b", changes)).await.unwrap_err().to_string();
            let name = error.strip_prefix("the write conflicts with ").unwrap();
            // Which of several violated indexes is named first is the engine's choice.
            assert!(name == constraint || (constraint == "accounts_pkey" && name.starts_with("accounts_")), "{name}");
        }
    }

    async fn a_deleted_account_frees_its_address_and_names_but_not_its_link(store, _) {
        seed(&store).await;
        let changes = vec![create(account("ada")), Change::Link { account: "ada".into(), link: link("S-1") }];
        apply(&store, decision("t1", "ada", changes)).await.unwrap();
        let delete = Change::SetStatus {
            account: "ada".into(),
            version: 1,
            from: Status::Active,
            to: Status::Deleted,
            origin: Origin::Scim,
        };
        apply(&store, decision("t2", "ada", vec![delete])).await.unwrap();
        let need = Need {
            email_key: Some("ada@home-lab.example".to_owned()),
            subject: Some((okta(), subject("S-1"))),
            ..Need::default()
        };
        let found = facts(&store, need).await;
        assert!(found.candidates.is_empty());
        assert_eq!(found.linked.unwrap().account.status, Status::Deleted, "the tombstone still answers to its subject");
        apply(&store, decision("t3", "ada2", vec![create(account("ada").with_id("ada2"))])).await.unwrap();
        // And the old one cannot come back while the new one has the address.
        let restore = Change::SetStatus {
            account: "ada".into(),
            version: 2,
            from: Status::Deleted,
            to: Status::Active,
            origin: Origin::Admin,
        };
        assert_eq!(apply(&store, decision("t4", "ada", vec![restore])).await.unwrap_err().code(), "conflict");
    }

    async fn a_refusal_is_kept_with_its_trace_and_event(store, _) {
        seed(&store).await;
        let mut refused = decision("t1", "ada", Vec::new());
        refused.verdict = Verdict::Refused(Denial::NoOrganization);
        refused.trace.account = None;
        let applied = apply(&store, refused.clone()).await.unwrap();
        assert!(applied.traced);
        let (trace, events) = store
            .read(|reader| {
                Box::pin(async move {
                    Ok::<_, provost_store::StoreError>((reader.trace(&"t1".into()).await?, reader.events(0, 9).await?))
                })
            })
            .await
            .unwrap();
        let trace = trace.unwrap();
        assert_eq!((trace.trace, trace.verdict.as_str()), (refused.trace, "no_organization"));
        assert_eq!(events.len(), 1);
        assert_eq!((events[0].kind.as_str(), &events[0].data), ("sign_in.refused", &json!({"code": "no_organization"})));
    }

    async fn an_empty_plan_writes_nothing(store, _) {
        seed(&store).await;
        let applied = apply(&store, decision("t1", "ada", Vec::new())).await.unwrap();
        assert_eq!(applied, provost_store::Applied::default());
        let found = store
            .read(|reader| {
                Box::pin(async move {
                    let audit = reader.audit(None, None, 9).await?;
                    Ok::<_, provost_store::StoreError>((reader.events(0, 9).await?, audit, reader.trace(&"t1".into()).await?))
                })
            })
            .await
            .unwrap();
        assert_eq!(found, (Vec::new(), Vec::new(), None));
    }

    async fn members_of_another_organization_are_never_listed(store, _) {
        seed(&store).await;
        for id in ["a", "b", "c"] {
            let mut joined = membership(None);
            if id == "c" {
                joined.organization = "other".into();
                (joined.roles, joined.workspaces) = (Vec::new(), Vec::new());
            }
            let changes =
                vec![create(account(id)), Change::AddMembership { account: id.into(), membership: joined }];
            apply(&store, decision(id, id, changes)).await.unwrap();
        }
        let page = |after: Option<&'static str>, limit| {
            let store = store.clone();
            async move {
                let found = store.read(|reader| Box::pin(async move {
                    reader.members(&org(), after.map(Into::into).as_ref(), limit).await
                })).await.unwrap();
                found.into_iter().map(|facts| facts.account.id.to_string()).collect::<Vec<_>>()
            }
        };
        assert_eq!(page(None, 10).await, ["a", "b"]);
        assert_eq!(page(None, 1).await, ["a"]);
        assert_eq!(page(Some("a"), 10).await, ["b"]);
        // A role of one organization cannot be held in another: roles are keyed by both.
        let foreign = Change::UpdateMembership {
            account: "c".into(),
            organization: "other".into(),
            version: 1,
            edits: vec![MembershipEdit::GrantRole { role: "owner".into(), source: Source::Manual, pinned: true }],
        };
        let error = apply(&store, decision("t9", "c", vec![foreign])).await.unwrap_err();
        assert_eq!(error.to_string(), "the write conflicts with foreign_key");
    }
}

async fn used(store: &Store) -> u32 {
    let pools = store
        .read(|reader| Box::pin(async move { reader.licenses(&org()).await }))
        .await
        .unwrap();
    pools[0].1
}

trait WithId {
    fn with_id(self, id: &str) -> Self;
}

impl WithId for Account {
    fn with_id(mut self, id: &str) -> Self {
        self.id = id.into();
        self
    }
}
