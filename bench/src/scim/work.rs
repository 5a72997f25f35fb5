//! The requests, many at once or one after the other, and what came of them.

use std::cell::{Cell as StdCell, RefCell};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures_util::future::try_join_all;
use serde_json::{Value, json};

use super::target::Target;
use crate::client::{Answer, Client};
use crate::clock::{self, Sorted};
use crate::installation::DOMAIN;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
/// Members of one request while a group is filled.
const PORTION: usize = 1_000;
/// Operations of one measurement at most.
const MOST: usize = 20_000;
/// Longest time for one answer; a peer needs ten seconds and more for some.
const ANSWER: Duration = Duration::from_mins(2);
/// Longest time for filling one group.
const GROUP_PATIENCE: Duration = Duration::from_secs(30);

/// What one measurement showed.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) work: String,
    pub(super) workers: usize,
    pub(super) per_second: f64,
    pub(super) text: String,
}

impl Cell {
    /// Something that is no rate.
    pub(super) fn text(work: &str, workers: usize, text: String) -> Self {
        Self {
            work: work.to_owned(),
            workers,
            per_second: 0.0,
            text,
        }
    }
}

/// One server under measurement.
pub(super) struct Bench {
    address: SocketAddr,
    base: String,
    token: String,
    time: Duration,
    /// Identifiers of all people, in the order of their creation.
    ids: RefCell<Vec<String>>,
    next: StdCell<usize>,
}

/// What one operation came to: time in milliseconds, or the refusal.
type Outcome = Result<f64, String>;

impl Bench {
    pub(super) fn new(target: &Target, time: Duration) -> Self {
        Self {
            address: target.address,
            base: target.base.clone(),
            token: target.token.clone(),
            time,
            ids: RefCell::new(Vec::new()),
            next: StdCell::new(0),
        }
    }

    pub(super) fn people(&self) -> usize {
        self.ids.borrow().len()
    }

    pub(super) async fn create(&self, workers: usize) -> Result<Cell> {
        self.load("create", workers, self.time, MOST, async |client, _| {
            self.create_one(client).await
        })
        .await
    }

    /// Creates people until there are `people`, or the time is over.
    pub(super) async fn fill(&self, people: usize, time: Duration) -> Result<()> {
        let missing = people.saturating_sub(self.people());
        if missing > 0 {
            self.load("fill", 16, time, missing, async |client, _| {
                self.create_one(client).await
            })
            .await?;
        }
        Ok(())
    }

    pub(super) async fn get_by_id(&self, workers: usize) -> Result<Cell> {
        self.load("get by id", workers, self.time, MOST, async |client, n| {
            let path = format!("/Users/{}", self.id(n)?);
            self.timed(client, "GET", &path, None).await.map(|(time, _)| time)
        })
        .await
    }

    pub(super) async fn filter(&self, workers: usize) -> Result<Cell> {
        self.load(
            "filter userName eq",
            workers,
            self.time,
            MOST,
            async |client, n| {
                let number = scatter(n, self.people());
                let path = format!("/Users?filter=userName%20eq%20%22{}%22", user_name(number));
                let (time, answer) = self.timed(client, "GET", &path, None).await?;
                if answer.get("totalResults").and_then(Value::as_u64) == Some(1) {
                    Ok(time)
                } else {
                    Err("wrong result".to_owned())
                }
            },
        )
        .await
    }

    pub(super) async fn page(&self, work: &str, start: usize, count: usize) -> Result<Cell> {
        self.load(work, 1, self.time, MOST, async |client, _| {
            let path = format!("/Users?startIndex={start}&count={count}");
            let (time, answer) = self.timed(client, "GET", &path, None).await?;
            let found = answer
                .get("Resources")
                .and_then(Value::as_array)
                .map_or(0, Vec::len);
            if found == 0 {
                Err("empty page".to_owned())
            } else {
                Ok(time)
            }
        })
        .await
    }

    pub(super) async fn set_active(&self, workers: usize) -> Result<Cell> {
        let people = self.people().max(1);
        self.load("PATCH active", workers, self.time, MOST, async |client, n| {
            // Each lap turns the other way, so that every request changes something.
            let active = (n / people) % 2 == 1;
            let body = patch(&json!([{ "op": "replace", "value": { "active": active } }]));
            let path = format!("/Users/{}", self.id(n)?);
            self.timed(client, "PATCH", &path, Some(body))
                .await
                .map(|(time, _)| time)
        })
        .await
    }

    /// One member comes and goes in a group of `size`.
    pub(super) async fn one_member(&self, size: usize) -> Result<Cell> {
        let work = format!("one member in or out, group of {}", thousands(size));
        if self.people() <= size {
            return Ok(Cell::text(&work, 1, "–".to_owned()));
        }
        let group = match self.group(size).await? {
            Ok(group) => group,
            Err(refusal) => return Ok(Cell::text(&work, 1, refusal)),
        };
        let outsider = self.ids.borrow().get(size).cloned().context("nobody is left")?;
        let cell = self
            .load(&work, 1, self.time, MOST, async |client, n| {
                let operation = if n % 2 == 0 {
                    json!([{ "op": "add", "path": "members", "value": [{ "value": outsider }] }])
                } else {
                    json!([{ "op": "remove", "path": format!("members[value eq \"{outsider}\"]") }])
                };
                self.timed(
                    client,
                    "PATCH",
                    &format!("/Groups/{group}"),
                    Some(patch(&operation)),
                )
                .await
                .map(|(time, _)| time)
            })
            .await?;
        self.delete(&format!("/Groups/{group}")).await?;
        Ok(cell)
    }

    /// A group is replaced as a whole: the same name, half of the members others.
    pub(super) async fn replace_group(&self, size: usize) -> Result<Cell> {
        let size = size.min(self.people() / 2);
        let work = "PUT of a group of 10,000".to_owned();
        if size < 10_000 {
            return Ok(Cell::text(&work, 1, "–".to_owned()));
        }
        let group = match self.group(10).await? {
            Ok(group) => group,
            Err(refusal) => return Ok(Cell::text(&work, 1, refusal)),
        };
        let bodies: Vec<String> = [0, size / 2]
            .into_iter()
            .map(|from| {
                let ids = self.ids.borrow();
                let members: Vec<Value> = ids
                    .iter()
                    .skip(from)
                    .take(size)
                    .map(|id| json!({ "value": id }))
                    .collect();
                json!({ "schemas": [GROUP], "displayName": "Replaced", "members": members }).to_string()
            })
            .collect();
        self.load(&work, 1, self.time, 50, async |client, n| {
            let body = bodies.get(n % 2).cloned();
            self.timed(client, "PUT", &format!("/Groups/{group}"), body)
                .await
                .map(|(time, _)| time)
        })
        .await
    }

    /// Makes a group with the first `size` people.
    async fn group(&self, size: usize) -> Result<Result<String, String>> {
        let mut client = Client::connect(self.address).await?;
        let name = format!("group of {size} {}", self.next.get());
        self.next.set(self.next.get() + 1);
        let body = json!({ "schemas": [GROUP], "displayName": name, "members": [] }).to_string();
        let made = match self.timed(&mut client, "POST", "/Groups", Some(body)).await {
            Ok((_, made)) => made,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let group = made
            .get("id")
            .and_then(Value::as_str)
            .context("a group without id")?;
        let ids: Vec<String> = self.ids.borrow().iter().take(size).cloned().collect();
        let start = clock::start();
        for portion in ids.chunks(PORTION) {
            let members: Vec<Value> = portion.iter().map(|id| json!({ "value": id })).collect();
            let body = patch(&json!([{ "op": "add", "path": "members", "value": members }]));
            if let Err(refusal) = self
                .timed(&mut client, "PATCH", &format!("/Groups/{group}"), Some(body))
                .await
            {
                return Ok(Err(refusal));
            }
            if start.elapsed() > GROUP_PATIENCE {
                return Ok(Err(format!("filling takes over {} s", GROUP_PATIENCE.as_secs())));
            }
        }
        Ok(Ok(group.to_owned()))
    }

    async fn delete(&self, path: &str) -> Result<()> {
        let mut client = Client::connect(self.address).await?;
        // A peer that cannot delete is measured all the same.
        let _ = self.timed(&mut client, "DELETE", path, None).await;
        Ok(())
    }

    async fn create_one(&self, client: &mut Client) -> Outcome {
        let number = self.next.get();
        self.next.set(number + 1);
        let name = user_name(number);
        let body = json!({
            "schemas": [USER],
            "userName": name,
            "externalId": format!("00u{number}"),
            "name": { "givenName": "Given", "familyName": format!("Family{number}") },
            "displayName": format!("Given Family{number}"),
            "emails": [{ "value": name, "type": "work", "primary": true }],
            "active": true,
        });
        let (time, made) = self
            .timed(client, "POST", "/Users", Some(body.to_string()))
            .await?;
        let id = made.get("id").and_then(Value::as_str).ok_or("no id")?;
        self.ids.borrow_mut().push(id.to_owned());
        Ok(time)
    }

    /// One person, spread over all of them.
    fn id(&self, n: usize) -> Result<String, String> {
        let ids = self.ids.borrow();
        ids.get(scatter(n, ids.len()))
            .cloned()
            .ok_or_else(|| "nobody there".to_owned())
    }

    /// Sends one request; a status other than 2xx is the refusal.
    async fn timed(
        &self,
        client: &mut Client,
        method: &str,
        path: &str,
        body: Option<String>,
    ) -> Result<(f64, Value), String> {
        let begun = clock::start();
        let path = format!("{}{path}", self.base);
        let asked = client.json(method, &path, &self.token, body);
        let answer: Answer = tokio::time::timeout(ANSWER, asked)
            .await
            .map_err(|_| "no answer".to_owned())?
            .map_err(|error| error.to_string())?;
        let time = clock::milliseconds(begun.elapsed());
        if !answer.status.is_success() {
            return Err(format!("refused ({})", answer.status.as_u16()));
        }
        Ok((time, serde_json::from_slice(&answer.body).unwrap_or(Value::Null)))
    }

    /// Runs an operation on `workers` connections until the time is over or it was done `most` times.
    async fn load(
        &self,
        work: &str,
        workers: usize,
        time: Duration,
        most: usize,
        operation: impl AsyncFn(&mut Client, usize) -> Outcome,
    ) -> Result<Cell> {
        let (counter, times) = (StdCell::new(0_usize), RefCell::new(Vec::new()));
        let refusal: RefCell<Option<String>> = RefCell::new(None);
        let begun = clock::start();
        let worker = async || -> Result<()> {
            let mut client = Client::connect(self.address).await?;
            while begun.elapsed() < time && counter.get() < most && refusal.borrow().is_none() {
                let number = counter.get();
                counter.set(number + 1);
                match operation(&mut client, number).await {
                    Ok(time) => times.borrow_mut().push(time),
                    Err(why) => {
                        refusal.borrow_mut().get_or_insert(why);
                    }
                }
            }
            Ok(())
        };
        try_join_all((0..workers).map(|_| worker())).await?;
        let seconds = begun.elapsed().as_secs_f64();
        let times = times.into_inner();
        if times.is_empty() {
            let why = refusal.into_inner().unwrap_or_else(|| "nothing came".to_owned());
            return Ok(Cell::text(work, workers, why));
        }
        if let Some(why) = refusal.into_inner() {
            bail!("{work}: {why} after {} times", times.len());
        }
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 operations")]
        let per_second = times.len() as f64 / seconds;
        let median = Sorted::new(times).median();
        let decimals = usize::from(per_second < 10.0);
        Ok(Cell {
            work: work.to_owned(),
            workers,
            per_second,
            text: format!("{per_second:.decimals$} ({median:.1})"),
        })
    }
}

fn patch(operations: &Value) -> String {
    json!({ "schemas": [PATCH], "Operations": operations }).to_string()
}

fn user_name(number: usize) -> String {
    format!("person{number}@push.{DOMAIN}")
}

/// Spreads consecutive numbers over `0..length`, so that no cache of the last ones helps.
const fn scatter(number: usize, length: usize) -> usize {
    match number.wrapping_mul(7919).checked_rem(length) {
        Some(place) => place,
        None => 0,
    }
}

fn thousands(number: usize) -> String {
    if number < 1_000 {
        number.to_string()
    } else {
        format!("{},{:03}", number / 1_000, number % 1_000)
    }
}
