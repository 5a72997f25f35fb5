//! Migrations: embedded, run at start, each checked by its checksum. Safe when several nodes start at once.
//! Never changes a migration that was released: a change of the schema is a new file.

use crate::digest::sha256_hex;
use crate::engine::Conn;
use crate::error::{Result, StoreError};
use crate::value::binds;

struct Migration {
    version: i64,
    name: &'static str,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "trunk",
        sql: include_str!("../migrations/0001_trunk.sql"),
    },
    Migration {
        version: 2,
        name: "openid",
        sql: include_str!("../migrations/0002_openid.sql"),
    },
    Migration {
        version: 10,
        name: "directory",
        sql: include_str!("../migrations/0010_directory.sql"),
    },
    Migration {
        version: 11,
        name: "scim_requests",
        sql: include_str!("../migrations/0011_scim_requests.sql"),
    },
    Migration {
        version: 20,
        name: "departures",
        sql: include_str!("../migrations/0020_departures.sql"),
    },
    Migration {
        version: 30,
        name: "policies",
        sql: include_str!("../migrations/0030_policies.sql"),
    },
    Migration {
        version: 31,
        name: "strips",
        sql: include_str!("../migrations/0031_strips.sql"),
    },
    Migration {
        version: 45,
        name: "edited",
        sql: include_str!("../migrations/0045_edited.sql"),
    },
    Migration {
        version: 46,
        name: "seat_events",
        sql: include_str!("../migrations/0046_seat_events.sql"),
    },
    Migration {
        version: 50,
        name: "keeping",
        sql: include_str!("../migrations/0050_keeping.sql"),
    },
    Migration {
        version: 51,
        name: "account_values",
        sql: include_str!("../migrations/0051_account_values.sql"),
    },
    Migration {
        version: 55,
        name: "management",
        sql: include_str!("../migrations/0055_management.sql"),
    },
    Migration {
        version: 60,
        name: "mail",
        sql: include_str!("../migrations/0060_mail.sql"),
    },
    Migration {
        version: 61,
        name: "conversions",
        sql: include_str!("../migrations/0061_conversions.sql"),
    },
    Migration {
        version: 65,
        name: "domains",
        sql: include_str!("../migrations/0065_domains.sql"),
    },
    Migration {
        version: 66,
        name: "local_accounts",
        sql: include_str!("../migrations/0066_local_accounts.sql"),
    },
    Migration {
        version: 70,
        name: "console",
        sql: include_str!("../migrations/0070_console.sql"),
    },
    Migration {
        version: 71,
        name: "managed_by",
        sql: include_str!("../migrations/0071_managed_by.sql"),
    },
    Migration {
        version: 80,
        name: "setup",
        sql: include_str!("../migrations/0080_setup.sql"),
    },
    Migration {
        version: 85,
        name: "console_work",
        sql: include_str!("../migrations/0085_console_work.sql"),
    },
    Migration {
        version: 86,
        name: "webhooks",
        sql: include_str!("../migrations/0086_webhooks.sql"),
    },
    Migration {
        version: 87,
        name: "sign_in_days",
        sql: include_str!("../migrations/0087_sign_in_days.sql"),
    },
    Migration {
        version: 88,
        name: "asked_links",
        sql: include_str!("../migrations/0088_asked_links.sql"),
    },
    Migration {
        version: 89,
        name: "pending_invitations",
        sql: include_str!("../migrations/0089_pending_invitations.sql"),
    },
    Migration {
        version: 90,
        name: "seat_kinds",
        sql: include_str!("../migrations/0090_seat_kinds.sql"),
    },
    Migration {
        version: 91,
        name: "seat_days",
        sql: include_str!("../migrations/0091_seat_days.sql"),
    },
    Migration {
        version: 95,
        name: "last_seen",
        sql: include_str!("../migrations/0095_last_seen.sql"),
    },
    Migration {
        version: 96,
        name: "audit_people",
        sql: include_str!("../migrations/0096_audit_people.sql"),
    },
    Migration {
        version: 97,
        name: "key_makers",
        sql: include_str!("../migrations/0097_key_makers.sql"),
    },
    Migration {
        version: 98,
        name: "deliveries_by_time",
        sql: include_str!("../migrations/0098_deliveries_by_time.sql"),
    },
    Migration {
        version: 99,
        name: "instance_defaults",
        sql: include_str!("../migrations/0099_instance_defaults.sql"),
    },
    Migration {
        version: 100,
        name: "feed_flush",
        sql: include_str!("../migrations/0100_feed_flush.sql"),
    },
    Migration {
        version: 110,
        name: "local_groups",
        sql: include_str!("../migrations/0110_local_groups.sql"),
    },
    Migration {
        version: 120,
        name: "connection_changes",
        sql: include_str!("../migrations/0120_connection_changes.sql"),
    },
    Migration {
        version: 121,
        name: "invitation_states",
        sql: include_str!("../migrations/0121_invitation_states.sql"),
    },
    Migration {
        version: 130,
        name: "member_lists",
        sql: include_str!("../migrations/0130_member_lists.sql"),
    },
    Migration {
        version: 131,
        name: "drift",
        sql: include_str!("../migrations/0131_drift.sql"),
    },
    Migration {
        version: 132,
        name: "member_counts",
        sql: include_str!("../migrations/0132_member_counts.sql"),
    },
    Migration {
        version: 133,
        name: "meters",
        sql: include_str!("../migrations/0133_meters.sql"),
    },
    Migration {
        version: 134,
        name: "domain_people",
        sql: include_str!("../migrations/0134_domain_people.sql"),
    },
    Migration {
        version: 135,
        name: "planned_once",
        sql: include_str!("../migrations/0135_planned_once.sql"),
    },
    Migration {
        version: 136,
        name: "account_columns",
        sql: include_str!("../migrations/0136_account_columns.sql"),
    },
    Migration {
        version: 137,
        name: "deleted_accounts",
        sql: include_str!("../migrations/0137_deleted_accounts.sql"),
    },
];

/// The schema version that this program works with.
pub(crate) fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |migration| migration.version)
}

/// Brings the schema up to date and returns how many migrations ran.
pub(crate) async fn migrate(conn: &mut Conn) -> Result<usize> {
    conn.begin().await?;
    let outcome = in_transaction(conn, MIGRATIONS).await;
    conn.script(if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" })
        .await?;
    outcome
}

async fn in_transaction(conn: &mut Conn, migrations: &[Migration]) -> Result<usize> {
    conn.lock_migrations().await?;
    conn.script(
        "CREATE TABLE IF NOT EXISTS schema_migrations (version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, \
         checksum TEXT NOT NULL)",
    )
    .await?;
    let mut done = Vec::new();
    for mut row in conn
        .rows(
            "SELECT version, checksum FROM schema_migrations ORDER BY version",
            Vec::new(),
        )
        .await?
    {
        done.push((row.int("schema_migrations")?, row.text("schema_migrations")?));
    }
    for (version, checksum) in &done {
        let Some(known) = migrations.iter().find(|migration| migration.version == *version) else {
            return Err(StoreError::Migration(format!(
                "the database has schema version {version}, which this program does not know; use a newer program"
            )));
        };
        if *checksum != sha256_hex(known.sql.as_bytes()) {
            return Err(StoreError::Migration(format!(
                "migration {version} ({}) was changed after it ran",
                known.name
            )));
        }
    }
    let mut ran = 0;
    for migration in migrations
        .iter()
        .filter(|migration| !done.iter().any(|(version, _)| *version == migration.version))
    {
        conn.script(migration.sql).await?;
        let checksum = sha256_hex(migration.sql.as_bytes());
        conn.run(
            "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)",
            binds![migration.version, migration.name, checksum],
        )
        .await?;
        tracing::info!(
            version = migration.version,
            name = migration.name,
            "schema migrated"
        );
        ran += 1;
    }
    Ok(ran)
}
