//! Ends of several transactions as one statement. What a statement costs before it has touched a row (its parts are set up,
//! indexes opened, triggers begun, events numbered under one lock) is paid once for all of them.
//!
//! Only for transactions that are nothing but their end, which inserts rows of its own or adds to counts; nobody relies on
//! an effect of another one. While one such statement is under way, those that come meanwhile gather for the next one. If
//! anything is wrong with one of them, nothing of it is kept, and each goes alone, which is as it would be anyway; so does
//! everybody if a row that one of them needs is locked for longer than a moment.
//! Commits do not wait for the disk: for that each waits afterwards ([`super::group_commit`]). Never knows a table.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::SETTINGS;
use super::whole::Whole;
use crate::engine::batch::{Change, Note, Work};
use crate::engine::failure::failed;
use crate::error::{Result, StoreError};
use crate::value::Bind;

/// Transactions in one statement.
const MOST: usize = 32;
/// Rows that one of them inserts at most, and bytes of its values and events: a large one would have the others wait.
const ROWS: usize = 100;
const BYTES: usize = 64 * 1024;
/// How long one statement, or opening the connection, may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The connection is closed when nobody has come for so long.
const QUIET: Duration = Duration::from_mins(1);
/// Others are not kept waiting for a row that somebody else has locked.
const LOCKS: &str = "SET lock_timeout = '100ms'; SET synchronous_commit = off";
/// Classes of errors after which a connection is as good as before: data, integrity, rollback by the server, locks.
const HARMLESS: [&str; 4] = ["22", "23", "40", "55"];

type Ending = (Vec<Change>, Option<Note>);

/// The way to the task that ends transactions together.
pub(crate) struct Joint {
    queue: mpsc::UnboundedSender<Waiting>,
}

struct Waiting {
    changes: Vec<Change>,
    note: Note,
    done: oneshot::Sender<Result<Option<Ending>>>,
}

impl Joint {
    /// Starts the task. It opens its connection when it is needed, and ends with the last handle.
    pub(super) fn start(options: PgConnectOptions) -> Arc<Self> {
        let (queue, waiting) = mpsc::unbounded_channel();
        let task = Task {
            // An operator who looks at the connections sees what this one is for.
            options: options.application_name("provost endings"),
            conn: None,
        };
        tokio::spawn(task.serve(waiting));
        Arc::new(Self { queue })
    }

    /// Takes the end of a transaction, to be one with those of others, or gives back what has to go alone.
    pub(super) fn take(
        &self,
        changes: Vec<Change>,
        note: Option<Note>,
    ) -> std::result::Result<Answer, Ending> {
        let note = match note {
            Some(note) if may_be_joint(&changes) && size(&changes, &note) <= BYTES => note,
            note => return Err((changes, note)),
        };
        let (done, answer) = oneshot::channel();
        let waiting = Waiting { changes, note, done };
        match self.queue.send(waiting) {
            Ok(()) => Ok(Answer(answer)),
            Err(mpsc::error::SendError(Waiting { changes, note, .. })) => Err((changes, Some(note))),
        }
    }
}

/// What will be known of a transaction that was taken.
pub(super) struct Answer(oneshot::Receiver<Result<Option<Ending>>>);

impl Answer {
    /// Returns when it is kept, or gives it back if it has to go alone after all; then nothing of it is kept.
    ///
    /// # Errors
    /// `unavailable` if it is unknown whether it is kept.
    pub(super) async fn wait(self) -> Result<Option<Ending>> {
        self.0.await.unwrap_or_else(|_| Err(unknown()))
    }
}

/// Tells whether all changes are of sorts that go with others.
fn may_be_joint(changes: &[Change]) -> bool {
    let rows = changes.iter().map(|change| match &change.work {
        Work::Own(_) => None,
        Work::Sum(_) => Some(1),
        Work::Rows(insert) => change.needs.is_none().then_some(insert.rows.len()),
    });
    rows.sum::<Option<usize>>().is_some_and(|rows| rows <= ROWS)
}

/// Returns about how many bytes go over the line.
fn size(changes: &[Change], note: &Note) -> usize {
    let values = changes.iter().flat_map(|change| match &change.work {
        Work::Own(query) | Work::Sum(query) => std::slice::from_ref(&query.binds),
        Work::Rows(insert) => insert.rows.as_slice(),
    });
    let values: usize = values.flatten().map(Bind::size).sum();
    let told = note.events.iter().chain(note.chains.values().flatten());
    values + told.map(String::len).sum::<usize>()
}

struct Task {
    options: PgConnectOptions,
    conn: Option<PgConnection>,
}

impl Task {
    async fn serve(mut self, mut queue: mpsc::UnboundedReceiver<Waiting>) {
        loop {
            let first = match timeout(QUIET, queue.recv()).await {
                Ok(Some(first)) => first,
                Ok(None) => return,
                Err(_quiet) => {
                    if let Some(conn) = self.conn.take() {
                        let _ = timeout(PATIENCE, conn.close()).await;
                    }
                    continue;
                }
            };
            let mut waiting = vec![first];
            while waiting.len() < MOST
                && let Ok(next) = queue.try_recv()
            {
                waiting.push(next);
            }
            let outcome = self.end(&waiting).await;
            for Waiting { changes, note, done } in waiting {
                let _ = done.send(match &outcome {
                    Outcome::Kept => Ok(None),
                    Outcome::Alone => Ok(Some((changes, Some(note)))),
                    Outcome::Unknown => Err(unknown()),
                });
            }
        }
    }

    async fn end(&mut self, waiting: &[Waiting]) -> Outcome {
        let Some(whole) = Whole::joint(waiting.iter().flat_map(|one| &one.changes)) else {
            return Outcome::Alone;
        };
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => match timeout(PATIENCE, self.open()).await {
                Ok(Ok(conn)) => conn,
                Ok(Err(_)) | Err(_) => return Outcome::Alone,
            },
        };
        let note = Note::text(waiting.iter().map(|one| &one.note));
        let failure = match timeout(PATIENCE, whole.end(&mut conn, note)).await {
            Ok(Ok(())) => {
                self.conn = Some(conn);
                return Outcome::Kept;
            }
            Ok(Err(failure)) => failure,
            Err(_elapsed) => return Outcome::Unknown,
        };
        // PostgreSQL itself says that nothing came of it; what is lost on the way, or with a server that stops, says nothing.
        let Some(error) = failure.error.as_database_error() else {
            return Outcome::Unknown;
        };
        let code = error.code().unwrap_or_default();
        if HARMLESS.iter().any(|class| code.starts_with(class)) {
            self.conn = Some(conn);
        }
        if matches!(failure.said(), StoreError::Unavailable(_)) {
            return Outcome::Unknown;
        }
        Outcome::Alone
    }

    async fn open(&self) -> std::result::Result<PgConnection, sqlx::Error> {
        let mut conn = self.options.connect().await?;
        sqlx::raw_sql(SETTINGS).execute(&mut conn).await?;
        sqlx::raw_sql(LOCKS).execute(&mut conn).await?;
        Ok(conn)
    }
}

/// What became of a statement.
enum Outcome {
    Kept,
    /// Nothing is kept; each may try by itself.
    Alone,
    Unknown,
}

fn unknown() -> StoreError {
    failed(sqlx::Error::Io(std::io::Error::other(
        "the connection that ends transactions together was lost",
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::batch::{Insert, Query};
    use crate::value::binds;

    fn change(work: Work) -> Change {
        Change {
            work,
            needs: None,
            apart: None,
        }
    }

    fn rows(count: usize, text: &str) -> Change {
        let rows = (0..count).map(|_| binds![text]).collect();
        change(Work::Rows(Insert::plain("INSERT INTO t (a)", rows, "")))
    }

    #[test]
    fn only_small_ends_that_nobody_else_can_meet_are_taken() {
        let (queue, _waiting) = mpsc::unbounded_channel();
        let joint = Joint { queue };
        let takes = |changes: Vec<Change>, note| joint.take(changes, note).is_ok();
        let note = || Some(Note::default());
        let seat = || change(Work::Sum(Query::new("UPDATE t SET a = a + $1", binds![1])));
        assert!(takes(vec![rows(ROWS - 1, "x"), seat()], note()));
        assert!(takes(Vec::new(), note()), "nothing but events");
        assert!(!takes(vec![rows(ROWS, "x"), seat()], note()), "many rows");
        assert!(
            !takes(vec![rows(1, &"x".repeat(BYTES + 1))], note()),
            "a large value"
        );
        let told = Note {
            events: vec!["x".repeat(BYTES + 1)],
            ..Note::default()
        };
        assert!(!takes(vec![rows(1, "x")], Some(told)), "a large event");
        assert!(!takes(vec![rows(1, "x")], None), "no events to be numbered");
        let own = change(Work::Own(Query::new("DELETE FROM t", Vec::new())));
        assert!(!takes(vec![rows(1, "x"), own], note()), "a change of its own");
        let needs = Some((1, StoreError::ProofSpent));
        let counted = Change {
            needs,
            ..rows(1, "x")
        };
        assert!(!takes(vec![counted], note()), "a count of rows");
    }
}
