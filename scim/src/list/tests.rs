use serde_json::{Map, Value, json};

use super::*;
use crate::schema::Schemas;
use crate::{Limits, ResourceKind, ScimError, ScimType, Version};

fn query(pairs: &[(&str, &str)]) -> Result<ListRequest, ScimError> {
    ListRequest::from_pairs(pairs.iter().copied(), Version::V2)
}

#[test]
fn paging_numbers_are_brought_into_range() {
    for (pairs, start, count) in [
        (&[][..], 1, 100),
        (&[("startIndex", "5"), ("count", "10")], 5, 10),
        (&[("startIndex", "0"), ("count", "-3")], 1, 0),
        (&[("startIndex", "-9"), ("count", "0")], 1, 0),
        (&[("startindex", "2"), ("COUNT", "1000")], 2, 200),
        (&[("startIndex", ""), ("count", "")], 1, 100),
        (&[("aadOptscim062020", ""), ("count", "5")], 1, 5),
    ] {
        let request = query(pairs).unwrap();
        assert_eq!(request.paging, Paging::Index { start }, "{pairs:?}");
        assert_eq!(request.count(100, 200), count, "{pairs:?}");
    }
}

#[test]
fn rfc9865_an_empty_cursor_is_the_first_page() {
    assert_eq!(query(&[("cursor", "")]).unwrap().paging, Paging::Cursor(None));
    assert_eq!(
        query(&[("cursor", "abc"), ("count", "5")]).unwrap().paging,
        Paging::Cursor(Some("abc".to_owned()))
    );
    let both = query(&[("cursor", ""), ("startIndex", "1")]).unwrap_err();
    assert_eq!(both.scim_type, Some(ScimType::InvalidValue));
    let count = query(&[("cursor", "abc"), ("count", "many")]).unwrap_err();
    assert_eq!(count.scim_type, Some(ScimType::InvalidCount));
}

#[test]
fn what_is_not_a_number_or_an_order_is_refused() {
    for pair in [
        ("startIndex", "one"),
        ("count", "1.5"),
        ("count", "99999999999999999999"),
        ("sortOrder", "upwards"),
    ] {
        let error = query(&[pair]).unwrap_err();
        assert_eq!(
            (error.status, error.scim_type),
            (400, Some(ScimType::InvalidValue)),
            "{pair:?}"
        );
    }
}

#[test]
fn a_search_body_says_the_same_as_a_query() {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "attributes": ["userName", "name.givenName"],
        "filter": "userName sw \"a\"",
        "sortBy": "userName",
        "sortOrder": "descending",
        "startIndex": 3,
        "count": "7",
        "excludedAttributes": null,
    });
    let search = ListRequest::from_search(&body, Version::V2).unwrap();
    let same = query(&[
        ("attributes", "userName,name.givenName"),
        ("filter", "userName sw \"a\""),
        ("sortBy", "userName"),
        ("sortOrder", "descending"),
        ("startIndex", "3"),
        ("count", "7"),
    ]);
    assert_eq!(Ok(search), same);
    for broken in [
        json!([]),
        json!({ "filter": 7 }),
        json!({ "attributes": [7] }),
        json!({ "attributes": 7 }),
        json!({ "count": "many" }),
        json!({ "startIndex": 1.5 }),
        json!({ "sortBy": {} }),
    ] {
        assert_eq!(
            ListRequest::from_search(&broken, Version::V2).unwrap_err().status,
            400,
            "{broken}"
        );
    }
}

#[test]
fn filters_and_orders_are_resolved_for_a_kind() {
    let schemas = Schemas::default();
    let request = query(&[
        ("filter", "userName eq \"a\""),
        ("sortBy", "emails"),
        ("sortOrder", "DESCENDING"),
    ])
    .unwrap();
    assert!(request.has_filter());
    assert!(
        request
            .filter(ResourceKind::User, &schemas, &Limits::default())
            .unwrap()
            .is_some()
    );
    assert!(
        request
            .filter(ResourceKind::Group, &schemas, &Limits::default())
            .is_err()
    );
    let sort = request.sort(ResourceKind::User, &schemas).unwrap().unwrap();
    assert_eq!(
        (sort.by.to_string().as_str(), sort.descending),
        ("emails.value", true)
    );
    let none = query(&[("filter", " "), ("sortBy", "")]).unwrap();
    assert_eq!(
        none.filter(ResourceKind::User, &schemas, &Limits::default()),
        Ok(None)
    );
    assert_eq!(none.sort(ResourceKind::User, &schemas), Ok(None));
    for by in ["shoeSize", "name", "password", "a b"] {
        let error = query(&[("sortBy", by)])
            .unwrap()
            .sort(ResourceKind::User, &schemas)
            .unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::InvalidValue), "{by}");
    }
}

#[test]
fn r151_a_list_of_1_1_has_the_filters_of_1_1() {
    let request = ListRequest::from_pairs([("filter", "not (userName pr)")], Version::V1).unwrap();
    let schemas = Schemas::default();
    assert!(
        request
            .filter(ResourceKind::User, &schemas, &Limits::default())
            .is_err()
    );
}

fn resource(id: &str) -> Map<String, Value> {
    Map::from_iter([("id".to_owned(), id.into())])
}

#[test]
fn r152_the_envelope_counts_what_is_on_the_page() {
    let page = Page::Index { start: 3, total: 4 };
    assert_eq!(
        response(&page, vec![resource("c"), resource("d")]),
        json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            "totalResults": 4,
            "startIndex": 3,
            "itemsPerPage": 2,
            "Resources": [{ "id": "c" }, { "id": "d" }],
        })
    );
    let behind = response(&Page::Index { start: 9, total: 4 }, vec![]);
    assert_eq!(
        (&behind["itemsPerPage"], &behind["Resources"]),
        (&json!(0), &json!([]))
    );
}

#[test]
fn rfc9865_a_page_by_cursor_names_the_next_one() {
    let page = Page::Cursor {
        total: None,
        next: Some("n".to_owned()),
        previous: None,
    };
    assert_eq!(
        response(&page, vec![resource("c")]),
        json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            "itemsPerPage": 1,
            "nextCursor": "n",
            "Resources": [{ "id": "c" }],
        })
    );
    let last = Page::Cursor {
        total: Some(1),
        next: None,
        previous: Some("p".to_owned()),
    };
    let last = response(&last, vec![resource("c")]);
    assert_eq!(
        (
            &last["totalResults"],
            &last["previousCursor"],
            last.get("nextCursor")
        ),
        (&json!(1), &json!("p"), None)
    );
}
