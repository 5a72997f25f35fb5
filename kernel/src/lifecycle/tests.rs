use super::*;

const STATES: [Status; 5] = [
    Status::Invited,
    Status::Active,
    Status::Suspended,
    Status::Deactivated,
    Status::Deleted,
];
const ORIGINS: [Origin; 5] = [
    Origin::Login,
    Origin::Scim,
    Origin::Admin,
    Origin::File,
    Origin::System,
];

/// The table of the module documentation, written a second time and independently: every legal combination.
fn legal() -> Vec<(Status, Status, Origin, Origin)> {
    use Origin::{Admin, File, Login, Scim, System};
    use Status::{Active, Deactivated, Deleted, Invited, Suspended};
    let any = &ORIGINS[..];
    let rows: &[(Status, Status, &[Origin], &[Origin])] = &[
        (Invited, Active, &[Login, Scim, Admin, File], any),
        (Invited, Suspended, &[Scim, Admin, File], any),
        (Invited, Deactivated, &[Scim, Admin, File, System], any),
        (Invited, Deleted, &[Scim, Admin, File, System], any),
        (Active, Suspended, &[Scim, Admin, File, System], any),
        (Active, Deactivated, &[Scim, Admin, File, System], any),
        (Active, Deleted, &[Scim, Admin, File], any),
        (Suspended, Active, &[Admin, File], any),
        (Suspended, Active, &[Scim], &[Login, Scim, System]),
        (Suspended, Active, &[Login], &[Login, System]),
        (Suspended, Deactivated, &[Scim, Admin, File], any),
        (Suspended, Deleted, &[Scim, Admin, File], any),
        (Deactivated, Active, &[Scim, Admin, File], any),
        (Deactivated, Active, &[Login], &[Login, System]),
        (Deactivated, Deleted, &[Scim, Admin, File, System], any),
        (Deleted, Active, &[Admin, File], any),
        (Deleted, Active, &[Scim], &[Scim]),
        (Deleted, Deactivated, &[Admin, File], any),
        (Deleted, Deactivated, &[Scim], &[Scim]),
    ];
    let mut all = Vec::new();
    for (from, to, origins, status_origins) in rows {
        for origin in *origins {
            for status_origin in *status_origins {
                all.push((*from, *to, *origin, *status_origin));
            }
        }
    }
    all
}

#[test]
fn c06_every_transition_is_legal_exactly_where_the_table_says_so() {
    let legal = legal();
    for from in STATES {
        for to in STATES {
            for origin in ORIGINS {
                for status_origin in ORIGINS {
                    let expected = legal.contains(&(from, to, origin, status_origin));
                    assert_eq!(
                        transition(from, to, origin, status_origin).is_ok(),
                        expected,
                        "{from:?} -> {to:?} by {origin:?}, put there by {status_origin:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn r168_a_login_never_brings_back_whom_directory_admin_or_file_took_out() {
    for from in [Status::Suspended, Status::Deactivated, Status::Deleted] {
        for status_origin in [Origin::Scim, Origin::Admin, Origin::File] {
            assert_eq!(
                transition(from, Status::Active, Origin::Login, status_origin),
                Err(Denial::IllegalTransition)
            );
        }
    }
}
