//! What a condition means, told once more in plain Rust over values in memory, and random people and conditions to
//! compare the store with it.

use jiff::Timestamp;
use provost_kernel::directory::{Account, Status};
use provost_store::search::{Condition, Field, Literal, Operator, Sort};
use serde_json::{Map, Value, json};

/// A small random source, the same in every run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 16) % end as u64).unwrap()
    }

    pub(crate) fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        from[self.below(from.len())]
    }

    pub(crate) fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }
}

/// Texts that differ in what databases stumble over: case, accents, wildcards, quotes, planes, lengths.
pub(crate) const TEXTS: [&str; 22] = [
    "Ada",
    "ada",
    "ADA",
    "Ärger",
    "ärger",
    "ÄRGER",
    "a%b",
    "a_b",
    "axb",
    "A\\b",
    "quo\"te",
    "'single'",
    "{brace}",
    "$1",
    "Σίσυφος",
    "emoji😀",
    "𝒜",
    "z",
    "İstanbul",
    " space ",
    "adam",
    "\u{7f}\u{80}",
];

const DATES: [&str; 5] = [
    "2026-01-01T00:00:00Z",
    "2026-01-01T01:00:00+01:00",
    "2026-01-01T00:00:00.000001Z",
    "2025-12-31T23:59:59",
    "1969-07-20T20:17:40Z",
];

/// A person as both sides see it.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) account: Account,
    pub(crate) document: Option<Map<String, Value>>,
    pub(crate) updated_at: Timestamp,
    /// Identifiers and names.
    pub(crate) groups: Vec<(String, String)>,
}

pub(crate) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Makes a document.
pub(crate) fn document(dice: &mut Dice, others: usize) -> Map<String, Value> {
    let mut document = Map::new();
    if !dice.one_in(3) {
        document.insert("title".to_owned(), dice.pick(&TEXTS).into());
    }
    if dice.one_in(2) {
        document.insert("age".to_owned(), json!([-1.5, 0, 7, 40])[dice.below(4)].clone());
    }
    if dice.one_in(2) {
        document.insert("trusted".to_owned(), dice.one_in(2).into());
    }
    if dice.one_in(2) {
        document.insert("since".to_owned(), dice.pick(&DATES).into());
    }
    if !dice.one_in(4) {
        let element = |dice: &mut Dice| {
            let mut element = json!({"value": format!("{}@x.y", dice.pick(&["a", "B", "b", "Ä", "c"]))});
            if !dice.one_in(3) {
                element["type"] = dice.pick(&["work", "Work", "home"]).into();
            }
            if dice.one_in(4) {
                element["primary"] = true.into();
            }
            element
        };
        let emails: Vec<Value> = (0..=dice.below(3)).map(|_| element(dice)).collect();
        document.insert("emails".to_owned(), emails.into());
    }
    if dice.one_in(3) {
        let manager = json!({"value": format!("p{}", dice.below(others)), "displayName": dice.pick(&TEXTS)});
        document.insert(
            ENTERPRISE.to_owned(),
            json!({"department": dice.pick(&TEXTS), "manager": manager}),
        );
    }
    if dice.one_in(3) {
        document.insert("tags".to_owned(), json!([dice.pick(&TEXTS), dice.pick(&TEXTS)]));
    }
    document
}

fn literal(dice: &mut Dice) -> Literal {
    match dice.below(12) {
        0 => Literal::Bool(dice.one_in(2)),
        1 => Literal::Number([-1.5, 0.0, 7.0, 8.0][dice.below(4)]),
        2 => Literal::Instant(DATES[dice.below(3)].parse().unwrap()),
        _ => {
            let whole = dice.pick(&TEXTS);
            let letters: Vec<char> = whole.chars().collect();
            let (from, to) = (dice.below(letters.len()), dice.below(letters.len() + 1));
            let part: String = letters.get(from..to).unwrap_or_default().iter().collect();
            let text = if dice.one_in(3) { part } else { whole.to_owned() };
            Literal::Text {
                text,
                exact: dice.one_in(3),
            }
        }
    }
}

const OPERATORS: [Operator; 9] = [
    Operator::Equal,
    Operator::NotEqual,
    Operator::Contains,
    Operator::StartsWith,
    Operator::EndsWith,
    Operator::Greater,
    Operator::GreaterOrEqual,
    Operator::Less,
    Operator::LessOrEqual,
];

/// A value that the field often has.
fn fitting(dice: &mut Dice, field: &Field, others: usize) -> Literal {
    let text = |text: String, dice: &mut Dice| Literal::Text {
        text,
        exact: dice.one_in(3),
    };
    let person = format!("p{}", dice.below(others));
    match field {
        Field::Id => text(person, dice),
        Field::ExternalId => text(format!("ext-{person}"), dice),
        Field::UserName if dice.one_in(3) => text(format!("{person}@home-lab.example"), dice),
        Field::UserName => text(format!("{person}.{}", dice.pick(&["Name", "name", "n"])), dice),
        Field::Active => Literal::Bool(dice.one_in(2)),
        Field::Created | Field::Modified => {
            let finer = jiff::SignedDuration::from_micros([0, 0, 500][dice.below(3)]);
            Literal::Instant(crate::support::at(i64::try_from(dice.below(30)).unwrap()) + finer)
        }
        Field::Attribute { name, sub } if name == "emails" => match sub.as_deref() {
            Some("type") => text(dice.pick(&["work", "WORK", "home"]).to_owned(), dice),
            Some("primary") => Literal::Bool(dice.one_in(2)),
            _ if dice.one_in(3) => text(format!("{person}@home-lab.example"), dice),
            _ => text(
                dice.pick(&["a@x.y", "A@x.y", "b@x.y", "ä@x.y", "@x"]).to_owned(),
                dice,
            ),
        },
        Field::Attribute { name, sub } if name == "groups" => match sub.as_deref() {
            Some("display") => text(dice.pick(&["Staff", "staff", "ÄRZTE", "Ä"]).to_owned(), dice),
            Some("type") => text("direct".to_owned(), dice),
            _ => text(dice.pick(&["g1", "g2", "g3"]).to_owned(), dice),
        },
        Field::Attribute { name, sub }
            if name.ends_with("manager") && sub.as_deref() != Some("displayName") =>
        {
            text(person, dice)
        }
        Field::Sub(_)
        | Field::Attribute { .. }
        | Field::GivenName
        | Field::FamilyName
        | Field::DisplayName => literal(dice),
    }
}

fn manager() -> String {
    format!("{ENTERPRISE}:manager")
}

pub(crate) fn field(dice: &mut Dice) -> Field {
    match dice.below(24) {
        0 => Field::Id,
        1 => Field::UserName,
        2 => Field::ExternalId,
        3 => Field::Active,
        4 => Field::GivenName,
        5 => Field::FamilyName,
        6 => Field::DisplayName,
        7 => Field::Created,
        8 => Field::Modified,
        9 => Field::attribute("age"),
        10 => Field::attribute("Trusted"),
        11 => Field::attribute("since"),
        12 | 13 => Field::attribute("emails"),
        14 => Field::sub_attribute("emails", dice.pick(&["value", "type", "Primary", "none"])),
        15 => Field::sub_attribute("groups", dice.pick(&["value", "display", "type"])),
        16 => Field::attribute("groups"),
        17 => Field::attribute(&manager()),
        18 => Field::sub_attribute(&manager(), "displayName"),
        19 => Field::attribute(&format!("{ENTERPRISE}:department")),
        20 => Field::attribute("tags"),
        21 => Field::attribute("no'such\"thing"),
        _ => Field::attribute("title"),
    }
}

/// Makes a condition.
pub(crate) fn condition(dice: &mut Dice, depth: usize, others: usize) -> Condition {
    let several = |dice: &mut Dice| {
        (0..dice.below(4))
            .map(|_| condition(dice, depth - 1, others))
            .collect()
    };
    match dice.below(if depth == 0 { 5 } else { 9 }) {
        0 => Condition::Present(field(dice)),
        1..=4 => {
            let field = field(dice);
            let literal = if dice.one_in(5) {
                literal(dice)
            } else {
                fitting(dice, &field, others)
            };
            let operator = if dice.one_in(2) {
                Operator::Equal
            } else {
                OPERATORS[dice.below(9)]
            };
            Condition::Compare {
                field,
                operator,
                literal,
            }
        }
        5 => Condition::And(several(dice)),
        6 => Condition::Or(several(dice)),
        7 => condition(dice, depth - 1, others).negated(),
        _ => {
            let attribute = match dice.below(5) {
                0 => "groups".to_owned(),
                1 => manager(),
                2 => "tags".to_owned(),
                _ => "emails".to_owned(),
            };
            let condition = Box::new(inside(dice, 2, &attribute, others));
            Condition::Element { attribute, condition }
        }
    }
}

/// Makes a condition on an element.
fn inside(dice: &mut Dice, depth: usize, attribute: &str, others: usize) -> Condition {
    let several = |dice: &mut Dice| {
        (0..=dice.below(3))
            .map(|_| inside(dice, depth - 1, attribute, others))
            .collect()
    };
    match dice.below(if depth == 0 { 4 } else { 7 }) {
        0 => Condition::Present(Field::Sub(dice.pick(&["type", "value", "display"]).to_owned())),
        1..=3 => {
            let sub = dice.pick(&["type", "value", "primary", "display", "displayName"]);
            let literal = fitting(dice, &Field::sub_attribute(attribute, sub), others);
            let operator = if dice.one_in(2) {
                Operator::Equal
            } else {
                OPERATORS[dice.below(9)]
            };
            Condition::Compare {
                field: Field::Sub(sub.to_owned()),
                operator,
                literal,
            }
        }
        4 => Condition::And(several(dice)),
        5 => Condition::Or(several(dice)),
        _ => inside(dice, depth - 1, attribute, others).negated(),
    }
}

/// Tells whether a condition holds.
pub(crate) fn holds(condition: &Condition, person: &Person) -> bool {
    match condition {
        Condition::All => true,
        Condition::And(all) => all.iter().all(|condition| holds(condition, person)),
        Condition::Or(any) => any.iter().any(|condition| holds(condition, person)),
        Condition::Not(inner) => !holds(inner, person),
        Condition::Compare {
            field,
            operator: Operator::NotEqual,
            literal,
        } => !values(field, person)
            .iter()
            .any(|value| fits(value, Operator::Equal, literal)),
        Condition::Compare {
            field,
            operator,
            literal,
        } => values(field, person)
            .iter()
            .any(|value| fits(value, *operator, literal)),
        Condition::Present(Field::Attribute { name, sub: None }) => !elements(name, person).is_empty(),
        Condition::Present(field) => !values(field, person).is_empty(),
        Condition::Element { attribute, condition } => elements(attribute, person)
            .iter()
            .any(|element| element_holds(condition, element)),
    }
}

fn element_holds(condition: &Condition, element: &Value) -> bool {
    let value = |field: &Field| {
        let Field::Sub(name) = field else {
            panic!("{field:?} inside an element")
        };
        part(element, name)
    };
    match condition {
        Condition::All => true,
        Condition::And(all) => all.iter().all(|condition| element_holds(condition, element)),
        Condition::Or(any) => any.iter().any(|condition| element_holds(condition, element)),
        Condition::Not(inner) => !element_holds(inner, element),
        Condition::Compare {
            field,
            operator: Operator::NotEqual,
            literal,
        } => !value(field).is_some_and(|value| fits(&value, Operator::Equal, literal)),
        Condition::Compare {
            field,
            operator,
            literal,
        } => value(field).is_some_and(|value| fits(&value, *operator, literal)),
        Condition::Present(field) => value(field).is_some(),
        Condition::Element { .. } => panic!("an element of an element"),
    }
}

/// A part of an element by name, whatever its case.
fn part(element: &Value, name: &str) -> Option<Value> {
    let parts = element.as_object().unwrap();
    let found = parts.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found
        .map(|(_, value)| value.clone())
        .filter(|value| *value != json!(""))
}

fn elements(name: &str, person: &Person) -> Vec<Value> {
    if name.eq_ignore_ascii_case("groups") {
        let group = |(id, name): &(String, String)| json!({"value": id, "display": name, "type": "direct"});
        return person.groups.iter().map(group).collect();
    }
    let document = person.document.clone().unwrap_or_default();
    let (holder, name) = match name.strip_prefix(ENTERPRISE) {
        Some(rest) => (document.get(ENTERPRISE).cloned().unwrap_or_default(), &rest[1..]),
        None => (Value::Object(document), name),
    };
    let attribute = holder
        .as_object()
        .and_then(|attributes| {
            attributes
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name))
        })
        .map(|(_, value)| value.clone());
    let items = match attribute {
        Some(Value::Array(items)) => items,
        Some(one) => vec![one],
        None if name == "emails" => {
            let email = person.account.email.iter();
            return email
                .map(|email| json!({"value": email.as_str(), "type": "work", "primary": true}))
                .collect();
        }
        None => Vec::new(),
    };
    items
        .into_iter()
        .map(|item| {
            if item.is_object() {
                item
            } else {
                json!({ "value": item })
            }
        })
        .collect()
}

fn values(field: &Field, person: &Person) -> Vec<Value> {
    let account = &person.account;
    let text = |text: Option<&String>| text.map(|text| json!(text)).into_iter().collect();
    match field {
        Field::Id => vec![json!({ "exact": account.id })],
        Field::ExternalId => account
            .external_id
            .iter()
            .map(|id| json!({ "exact": id }))
            .collect(),
        Field::UserName => {
            let email = account.email.as_ref().map(ToString::to_string);
            text(account.user_name.as_ref().or(email.as_ref()))
        }
        Field::GivenName => text(account.given_name.as_ref()),
        Field::FamilyName => text(account.family_name.as_ref()),
        Field::DisplayName => text(account.display_name.as_ref()),
        Field::Active => vec![matches!(account.status, Status::Active | Status::Invited).into()],
        Field::Created => vec![json!({ "at": account.created_at })],
        Field::Modified => vec![json!({ "at": person.updated_at })],
        Field::Attribute { name, sub } => {
            let sub = sub.as_deref().unwrap_or("value");
            let is_id = name == "groups" && sub == "value";
            let found = elements(name, person)
                .into_iter()
                .filter_map(|element| part(&element, sub));
            found
                .map(|value| if is_id { json!({ "exact": value }) } else { value })
                .collect()
        }
        Field::Sub(_) => panic!("a sub-attribute outside of an element"),
    }
}

fn fits(value: &Value, operator: Operator, literal: &Literal) -> bool {
    if let Some(value) = value.get("exact") {
        return match literal {
            Literal::Text { text, .. } => texts(value.as_str().unwrap(), operator, text),
            Literal::Bool(_) | Literal::Number(_) | Literal::Instant(_) => false,
        };
    }
    match (literal, value) {
        (Literal::Text { text, exact: true }, Value::String(value)) => texts(value, operator, text),
        (Literal::Text { text, exact: false }, Value::String(value)) => {
            texts(&value.to_lowercase(), operator, &text.to_lowercase())
        }
        (Literal::Bool(wanted), Value::Bool(value)) => operator == Operator::Equal && value == wanted,
        (Literal::Number(wanted), Value::Number(value)) => {
            ordered(value.as_f64().unwrap().partial_cmp(wanted).unwrap(), operator)
        }
        (Literal::Instant(wanted), Value::String(value)) => {
            let value = value
                .parse::<Timestamp>()
                .or_else(|_| format!("{value}Z").parse::<Timestamp>());
            value.is_ok_and(|value| ordered(value.cmp(wanted), operator))
        }
        (Literal::Instant(wanted), Value::Object(at)) => ordered(
            at["at"]
                .as_str()
                .unwrap()
                .parse::<Timestamp>()
                .unwrap()
                .cmp(wanted),
            operator,
        ),
        _ => false,
    }
}

fn texts(value: &str, operator: Operator, wanted: &str) -> bool {
    match operator {
        Operator::Contains => value.contains(wanted),
        Operator::StartsWith => value.starts_with(wanted),
        Operator::EndsWith => value.ends_with(wanted),
        Operator::Equal
        | Operator::NotEqual
        | Operator::Greater
        | Operator::GreaterOrEqual
        | Operator::Less
        | Operator::LessOrEqual => ordered(value.cmp(wanted), operator),
    }
}

fn ordered(order: std::cmp::Ordering, operator: Operator) -> bool {
    match operator {
        Operator::Equal => order.is_eq(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::NotEqual | Operator::Contains | Operator::StartsWith | Operator::EndsWith => false,
    }
}

/// Sorts people, who come in the order of their creation.
pub(crate) fn sorted(people: &mut [&Person], sort: &Sort) {
    let key = |person: &Person| {
        let value = if let Field::Attribute { name, sub } = &sort.by {
            let mut found = elements(name, person);
            found.sort_by_key(|element| part(element, "primary") != Some(true.into()));
            found
                .first()
                .and_then(|element| part(element, sub.as_deref().unwrap_or("value")))
        } else {
            values(&sort.by, person).into_iter().next()
        };
        value.map(|value| match value {
            Value::String(text) => format!("s{}", text.to_lowercase()),
            Value::Bool(is_true) => format!("b{}", u8::from(is_true)),
            Value::Number(number) => format!("n{:020.5}", number.as_f64().unwrap() + 1000.0),
            Value::Object(parts) => parts.get("exact").map_or_else(
                || {
                    let at = parts["at"].as_str().unwrap().parse::<Timestamp>().unwrap();
                    format!("{:020}", at.as_millisecond())
                },
                |exact| exact.as_str().unwrap().to_owned(),
            ),
            Value::Null | Value::Array(_) => panic!("neither a value nor sorted by"),
        })
    };
    people.sort_by(|a, b| {
        // What has no value comes last, or first if descending.
        let order = (key(a).is_none(), key(a)).cmp(&(key(b).is_none(), key(b)));
        if sort.descending { order.reverse() } else { order }
    });
}
