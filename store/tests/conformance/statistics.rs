//! What PostgreSQL's planner knows while a directory arrives. SQLite chooses an index by how many columns it serves.

use std::time::Duration;

use provost_kernel::plan::Change;
use sqlx::{Connection as _, PgConnection};

use crate::support::*;

/// Far more people than fit on the pages that are read through anyway.
const PEOPLE: usize = 600;

async fn gathered(conn: &mut PgConnection, table: &str) -> i64 {
    let sql = "SELECT COALESCE(SUM(analyze_count), 0)::BIGINT FROM pg_stat_user_tables \
               WHERE relname = $1 AND schemaname = current_schema()";
    sqlx::query_scalar(sql).bind(table).fetch_one(conn).await.unwrap()
}

/// Without statistics any index of a directory is as good as the unique one to PostgreSQL, and stays chosen: each person would
/// be looked for among all of the connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_arrives_at_once_is_not_looked_through_for_each_person() {
    let Some((database, _)) = Database::postgres_apart().await else {
        return;
    };
    with_store(Some(database), |store, database| async move {
        seed(&store).await;
        for number in 0..PEOPLE {
            let person = account(&format!("acc_{number}"));
            let id = person.id.clone();
            let member = Change::AddMembership {
                account: id.clone(),
                membership: membership(None),
            };
            let made = decision(
                &format!("trc_{number}"),
                id.as_str(),
                vec![create(person), member],
            );
            apply(&store, made).await.unwrap();
        }
        let mut conn = PgConnection::connect(&database.url).await.unwrap();
        // Statistics are gathered behind whoever writes; autovacuum, which is not counted here, would come within a minute.
        for _ in 0..200 {
            if gathered(&mut conn, "accounts").await > 0 && gathered(&mut conn, "memberships").await > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        for (table, condition) in [
            (
                "accounts",
                "connection = 'home-okta' AND user_name_key = 'acc_7.name' AND deleted = 0",
            ),
            (
                "accounts",
                "connection = 'home-okta' AND external_id = 'ext-acc_7' AND deleted = 0",
            ),
            ("memberships", "account = 'acc_7' AND organization = 'home-lab'"),
        ] {
            assert!(gathered(&mut conn, table).await > 0, "{table}");
            let sql = format!("EXPLAIN SELECT version FROM {table} WHERE {condition}");
            let plan: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
                .fetch_all(&mut conn)
                .await
                .unwrap();
            let plan = plan.join("\n");
            let whole = plan
                .lines()
                .filter(|line| line.contains("Index Cond") && line.matches(" = ").count() == 2);
            assert_eq!(whole.count(), 1, "{plan}");
        }
    })
    .await;
}
