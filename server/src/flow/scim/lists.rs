//! Lists: filters, order and pages (RFC 7644 3.4.2, RFC 9865), of one kind or, at the root, of both.

use std::sync::Arc;

use provost_scim::list::{self, ListRequest, Page as ShownPage, Paging};
use provost_scim::{Filter, Limits, Projection, ResourceKind, ScimError, Version, v1};
use provost_store::StoreError;
use provost_store::search::{Condition, Cursor, Page, Search, Sort, Start};
use serde_json::{Map, Value};

use crate::app::App;
use crate::flow::scim::Failure;
use crate::flow::scim::access::Caller;
use crate::flow::scim::answer::Answer;
use crate::flow::scim::rights::require_list;
use crate::flow::scim::view;
use crate::translate::scim_filter;

/// Resources of a page where the client names no number.
pub const USUAL: u64 = 100;
/// Most resources of a page.
pub const MOST: u64 = 1_000;

/// A list of one kind, ready to be searched for.
struct Asked {
    kind: ResourceKind,
    search: Search,
    projection: Projection,
}

/// Lists resources of one kind.
///
/// # Errors
/// [`Failure`].
pub async fn list(
    app: &App,
    caller: &Arc<Caller>,
    kind: ResourceKind,
    request: &ListRequest,
) -> Result<Answer, Failure> {
    let asked = read(caller, kind, request)?;
    let (page, resources) = search(app, caller, asked).await?;
    let shown = match &request.paging {
        Paging::Index { start } => ShownPage::Index {
            start: *start,
            total: page.total.unwrap_or_default(),
        },
        Paging::Cursor(_) => ShownPage::Cursor {
            total: page.total,
            next: page.next.as_ref().map(Cursor::encode),
            previous: page.previous.as_ref().map(Cursor::encode),
        },
    };
    Ok(answer(caller, &shown, vec![(kind, resources)]))
}

/// Lists resources of every kind: the people first, then the groups, paged as one list.
///
/// # Errors
/// [`Failure`].
pub async fn list_all(app: &App, caller: &Arc<Caller>, request: &ListRequest) -> Result<Answer, Failure> {
    let Paging::Index { start } = request.paging else {
        return Err(ScimError::invalid_value("a search of every kind is paged by 'startIndex'").into());
    };
    let count = request.count(USUAL, MOST);
    let (mut skip, mut left) = (start - 1, count);
    let mut total = 0;
    let mut all = Vec::new();
    let mut refusal = None;
    for kind in ResourceKind::ALL.iter().copied() {
        // An attribute of one kind only is no fault of the search: the other kind has nothing that fits.
        let mut asked = match read(caller, kind, request) {
            Ok(asked) => asked,
            Err(error) if error.status == 400 => {
                refusal.get_or_insert(error);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        asked.search.start = Start::Skip(skip);
        asked.search.limit = u32::try_from(left).unwrap_or(u32::MAX);
        asked.search.total = true;
        let (page, resources) = search(app, caller, asked).await?;
        let of_kind = page.total.unwrap_or_default();
        total += of_kind;
        skip = skip.saturating_sub(of_kind);
        left = left.saturating_sub(u64::try_from(resources.len()).unwrap_or(left));
        all.push((kind, resources));
    }
    match refusal {
        Some(error) if all.is_empty() => Err(error.into()),
        Some(_) | None => Ok(answer(caller, &ShownPage::Index { start, total }, all)),
    }
}

/// Reads what is asked for against the schema of a kind.
fn read(caller: &Caller, kind: ResourceKind, request: &ListRequest) -> Result<Asked, ScimError> {
    let schemas = &caller.scim().schemas;
    let filter: Option<Filter> = request.filter(kind, schemas, &Limits::default())?;
    require_list(caller, filter.as_ref())?;
    let condition = match &filter {
        Some(filter) => scim_filter::condition(filter, kind)?,
        None => Condition::All,
    };
    let sort = match request.sort(kind, schemas)? {
        Some(sort) => Some(Sort {
            by: scim_filter::field(&sort.by, kind)
                .map_err(|error| ScimError::invalid_value(format!("sortBy: {}", error.detail)))?,
            descending: sort.descending,
        }),
        None => None,
    };
    let start = match &request.paging {
        Paging::Index { start } => Start::Skip(start - 1),
        Paging::Cursor(None) => Start::After(None),
        Paging::Cursor(Some(text)) => Start::at(Cursor::decode(text).ok_or_else(ScimError::invalid_cursor)?),
    };
    let search = Search {
        connection: caller.live.id().clone(),
        condition,
        sort,
        limit: u32::try_from(request.count(USUAL, MOST)).unwrap_or(u32::MAX),
        total: true,
        start,
    };
    if let Start::After(Some(cursor)) | Start::Before(cursor) = &search.start
        && !search.accepts(cursor)
    {
        return Err(ScimError::invalid_cursor());
    }
    Ok(Asked {
        kind,
        search,
        projection: request.projection(kind, schemas)?,
    })
}

/// What a search found, without the resources.
struct Found {
    total: Option<u64>,
    next: Option<Cursor>,
    previous: Option<Cursor>,
}

impl<T> From<&Page<T>> for Found {
    fn from(page: &Page<T>) -> Self {
        Self {
            total: page.total,
            next: page.next.clone(),
            previous: page.previous.clone(),
        }
    }
}

async fn search(
    app: &App,
    caller: &Arc<Caller>,
    asked: Asked,
) -> Result<(Found, Vec<Map<String, Value>>), Failure> {
    let Asked {
        kind,
        search,
        projection,
    } = asked;
    let caller = Arc::clone(caller);
    let found: Result<_, StoreError> = app
        .store
        .read(move |reader| {
            Box::pin(async move {
                Ok(match kind {
                    ResourceKind::User => {
                        let page = reader.search_users(&search).await?;
                        let found = Found::from(&page);
                        let views = view::users(reader, page.items, projection.wants("groups")).await?;
                        let shown = views
                            .iter()
                            .map(|one| view::shown_user(&caller, one, &projection));
                        (found, shown.collect())
                    }
                    ResourceKind::Group => {
                        let page = reader.search_groups(&search).await?;
                        let found = Found::from(&page);
                        let views = view::groups(reader, page.items, projection.wants("members")).await?;
                        let shown = views
                            .iter()
                            .map(|one| view::shown_group(&caller, one, &projection));
                        (found, shown.collect())
                    }
                })
            })
        })
        .await;
    match found {
        Ok(found) => Ok(found),
        // What can be written as a filter and not be searched for, such as a text with a NUL.
        Err(StoreError::Refused(why)) => {
            Err(ScimError::invalid_filter(format!("the search is refused: {why}")).into())
        }
        Err(error) => Err(error.into()),
    }
}

fn answer(caller: &Caller, page: &ShownPage, found: Vec<(ResourceKind, Vec<Map<String, Value>>)>) -> Answer {
    let body = match caller.version {
        Version::V2 => {
            let resources = found.into_iter().flat_map(|(_, resources)| resources).collect();
            list::response(page, resources)
        }
        Version::V1 => {
            let resources: Vec<Value> = found
                .into_iter()
                .flat_map(|(kind, resources)| {
                    resources
                        .into_iter()
                        .map(move |one| v1::encode(Value::Object(one), kind))
                })
                .collect();
            let (start, total) = match page {
                ShownPage::Index { start, total } => (*start, *total),
                ShownPage::Cursor { total, .. } => (1, total.unwrap_or_default()),
            };
            v1::list(&resources, total, start)
        }
    };
    Answer::of(200, caller.version, body)
}
