//! Following the event feed through the API: ordered, at least once, within the bounds of the caller.

pub mod catalogue;

use std::time::Duration;

use provost_store::Event;

use crate::app::App;
use crate::error::Result;
use crate::flow::api_keys::Caller;

/// Events that one look for an organization's own goes over; the cursor moves on even where none is theirs.
const STRETCH: u32 = 2000;
/// How often is looked again while somebody waits.
const LOOK: Duration = Duration::from_millis(500);

/// A piece of the feed.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Events, oldest first.
    pub events: Vec<Event>,
    /// Where to go on.
    pub cursor: i64,
    /// Whether more is known to follow.
    pub more: bool,
}

/// Reads the feed after a cursor; waits up to `seconds` for something to happen.
///
/// # Errors
/// Those of the store.
pub async fn read(app: &App, caller: &Caller, after: i64, limit: u32, seconds: u32) -> Result<Piece> {
    let mut looks = u64::from(seconds) * 2;
    loop {
        let piece = look(app, caller, after, limit).await?;
        if !piece.events.is_empty() || piece.more || looks == 0 {
            return Ok(piece);
        }
        looks -= 1;
        tokio::time::sleep(LOOK).await;
    }
}

async fn look(app: &App, caller: &Caller, after: i64, limit: u32) -> Result<Piece> {
    let own = caller.organization.clone();
    let (events, cursor, newest) = app
        .store
        .read(|reader| {
            Box::pin(async move {
                let (events, cursor) = if let Some(own) = own {
                    reader.events_of(&own, after, STRETCH, limit).await?
                } else {
                    let events = reader.events(after, limit).await?;
                    let cursor = events.last().map_or(after, |last| last.sequence);
                    (events, cursor)
                };
                if cursor > after {
                    // Who follows notes the cursor. A number that a crash takes back is given to another event.
                    reader.written_down().await?;
                }
                Ok::<_, provost_store::StoreError>((events, cursor, reader.last_event().await?))
            })
        })
        .await?;
    Ok(Piece {
        more: cursor < newest,
        events,
        cursor,
    })
}
