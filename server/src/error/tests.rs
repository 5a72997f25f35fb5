use super::*;

fn request(path: &str, accept: Option<&str>) -> Request {
    let mut builder = Request::builder().uri(path);
    if let Some(accept) = accept {
        builder = builder.header(header::ACCEPT, accept);
    }
    builder.body(axum::body::Body::empty()).unwrap()
}

#[test]
fn browsers_get_pages_and_programs_get_json() {
    let browser = Some("text/html,application/xhtml+xml,*/*;q=0.8");
    assert!(wants_page(&request("/nowhere", browser)));
    assert!(wants_page(&request("/oauth2/authorize?x=1", browser)));
    assert!(!wants_page(&request("/oauth2/token", browser)));
    assert!(!wants_page(&request("/api/v1/users", browser)));
    assert!(!wants_page(&request("/nowhere", Some("application/json"))));
    assert!(!wants_page(&request("/nowhere", None)));
}

#[test]
fn sources_are_kept_apart_from_the_public_text() {
    let error = AppError::internal("table accounts is gone");
    assert!(!error.public().contains("accounts"));
    assert!(!error.to_string().contains("accounts"));
    assert_eq!(chain(&error), "internal (500): table accounts is gone");
}

#[test]
fn store_errors_choose_their_status() {
    let status = |error: StoreError| AppError::from(error).status().as_u16();
    assert_eq!(status(StoreError::Busy), 503);
    assert_eq!(status(StoreError::Conflict("accounts_email".to_owned())), 409);
    assert_eq!(status(StoreError::Corrupt("accounts.status")), 500);
}
