use super::{check_registration, is_registered};
use crate::op::client::{ApplicationType, Client};

fn client(application_type: ApplicationType, uri: &str) -> Client {
    Client {
        application_type,
        ..Client::confidential("app", vec![uri.to_owned()])
    }
}

#[test]
fn a_web_app_gets_no_near_miss() {
    let web = client(ApplicationType::Web, "https://app.example/cb");
    assert!(is_registered(&web, "https://app.example/cb"));
    for near in [
        "https://app.example/cb/",
        "https://app.example/cb?x=1",
        "https://app.example/cb#",
        "https://app.example/CB",
        "https://APP.example/cb",
        "https://app.example:443/cb",
        "https://app.example:8443/cb",
        "http://app.example/cb",
        "https://app.example/cb/../evil",
        "https://app.example/%63b",
        "https://app.example.evil.example/cb",
        "https://app.example@evil.example/cb",
        "https://evil.example/https://app.example/cb",
        "https://app.example\\@evil.example/cb",
        " https://app.example/cb",
        "https://app.example/cb\n",
        "//app.example/cb",
        "",
    ] {
        assert!(!is_registered(&web, near), "{near:?}");
    }
    let local = client(ApplicationType::Web, "http://127.0.0.1:8090/callback");
    assert!(is_registered(&local, "http://127.0.0.1:8090/callback"));
    assert!(!is_registered(&local, "http://127.0.0.1:8091/callback"));
}

#[test]
fn rfc8252_a_native_app_gets_any_loopback_port_and_nothing_else() {
    let native = client(ApplicationType::Native, "http://127.0.0.1/cb");
    for good in ["http://127.0.0.1/cb", "http://127.0.0.1:51004/cb"] {
        assert!(is_registered(&native, good), "{good}");
    }
    for bad in [
        "http://127.0.0.1:51004/cb/",
        "http://127.0.0.1:51004/other",
        "http://127.0.0.1:51004/cb?x=1",
        "http://127.0.0.2:51004/cb",
        "http://localhost:51004/cb",
        "https://127.0.0.1:51004/cb",
        "http://127.0.0.1:51004@evil.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://0x7f.1:51004/cb",
        "http://127.0.0.1:51004/x/../cb",
    ] {
        assert!(!is_registered(&native, bad), "{bad}");
    }
    let six = client(ApplicationType::Native, "http://[::1]/cb");
    assert!(is_registered(&six, "http://[::1]:7/cb"));
    // RFC 8252 section 8.3: a name may resolve elsewhere, so it gets no port exception.
    let named = client(ApplicationType::Native, "http://localhost/cb");
    assert!(!is_registered(&named, "http://localhost:7/cb"));
    let https = client(ApplicationType::Native, "https://app.example/cb");
    assert!(!is_registered(&https, "https://app.example:444/cb"));
}

#[test]
fn only_safe_uris_can_be_registered() {
    for good in [
        "https://app.example/cb",
        "http://127.0.0.1:8090/callback",
        "http://localhost/cb",
    ] {
        assert!(check_registration(good, ApplicationType::Web), "{good}");
    }
    assert!(check_registration("com.example.app:/cb", ApplicationType::Native));
    for bad in [
        "http://app.example/cb",
        "https://app.example/cb#x",
        "https://u:p@app.example/cb",
        "https://*.example/cb",
        "javascript:alert(1)",
        "data:text/html,x",
        "com.example.app:/cb",
        "/cb",
        "https://app.example/c b",
    ] {
        assert!(!check_registration(bad, ApplicationType::Web), "{bad}");
    }
    assert!(!check_registration(
        "javascript:alert(1)",
        ApplicationType::Native
    ));
}
