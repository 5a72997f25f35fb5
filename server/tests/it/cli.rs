//! The binary itself: commands, exit codes, start, TLS, shutdown.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::app::Folder;
use crate::documents;

/// An installation in a folder of its own.
struct Installation {
    folder: Folder,
    port: u16,
}

impl Installation {
    fn new(settings: &str) -> Self {
        let folder = Folder::new("provost-cli");
        // Closed again at once; nobody else on this machine is told the number.
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        folder.file(
            "provost.toml",
            format!("listen = \"127.0.0.1:{port}\"\nsqlite_synchronous = \"normal\"\n{settings}"),
        );
        folder.file("idp.xml", documents::idp_metadata("https://idp.example/saml"));
        folder.file("provost.yaml", documents::CONTRACT);
        Self { folder, port }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_provost"));
        command.args(arguments).current_dir(&self.folder.0).env_clear();
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn good(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{arguments:?}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }

    fn bad(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            !output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn serve(&self) -> Server {
        let log = std::fs::File::create(self.folder.0.join("log")).unwrap();
        let child = self
            .command(&["serve"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Server {
            child,
            log: self.folder.0.join("log"),
        };
        // A minute, for a machine under load.
        for _ in 0..3000 {
            if server.log().contains("provost is ready") {
                return server;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("never ready: {}", server.log())
    }
}

/// A running server.
struct Server {
    child: Child,
    log: std::path::PathBuf,
}

impl Server {
    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    fn wait(&mut self) -> bool {
        for _ in 0..3000 {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("never ended: {}", self.log())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn get(url: &str, trust: Option<&[u8]>) -> Result<(u16, Vec<u8>), String> {
    let outbound = provost::outbound::Outbound::new(true, trust).map_err(|error| error.to_string())?;
    let answer = outbound
        .get(url, axum::http::HeaderMap::new())
        .await
        .map_err(|error| error.to_string())?;
    Ok((answer.status, answer.body))
}

#[test]
fn the_commands_explain_themselves() {
    let here = Installation::new("");
    assert!(here.good(&["--version"]).starts_with("provost "));
    let help = here.good(&["--help"]);
    for command in [
        "serve", "apply", "export", "operator", "explain", "doctor", "backup", "restore", "schema",
    ] {
        assert!(help.contains(command), "{command} in {help}");
    }
    let schema: serde_json::Value = serde_json::from_str(&here.good(&["schema"])).unwrap();
    assert!(schema["properties"]["organizations"].is_object());
}

#[test]
fn apply_export_explain_and_operator_work_from_the_command_line() {
    let here = Installation::new("");
    let dry = here.good(&["apply", "provost.yaml", "--dry-run"]);
    assert!(
        dry.contains("+ connection home-okta") && dry.contains("nothing was changed"),
        "{dry}"
    );
    let applied = here.good(&["apply", "provost.yaml"]);
    let base = format!("http://127.0.0.1:{}", here.port);
    assert!(
        applied.contains("+ connection home-okta")
            && applied.contains(&format!("{base}/sso/home-okta/saml/acs"))
            && applied.contains(&format!("{base}/sso/home-google/oidc/callback")),
        "{applied}"
    );
    let again = here.good(&["apply", "provost.yaml"]);
    assert!(
        again.contains("no changes") && !again.contains("/sso/"),
        "{again}"
    );
    let exported = here.good(&["export"]);
    here.folder.file("exported.yaml", &exported);
    assert!(
        here.good(&["apply", "exported.yaml"]).contains("no changes"),
        "{exported}"
    );
    let explained = here.good(&["explain", "--account", "olga@home-lab.example"]);
    assert!(explained.contains("admitted"), "{explained}");
    let reference = explained.split_whitespace().next().unwrap().to_ascii_lowercase();
    assert!(here.good(&["explain", &reference]).contains("admitted"));
    assert!(
        here.bad(&["explain", "ZZZZ-ZZZZ-ZZZZ"])
            .contains("nothing is kept about")
    );
    let made = here.good(&["operator", "add", "--email", "petra@provost.example"]);
    assert!(
        made.contains("operator made") && made.contains("/password/pvp_"),
        "{made}"
    );
    let again = here.good(&["operator", "add", "--email", "petra@provost.example"]);
    assert!(
        again.contains("was an operator already") && again.contains("/password/pvp_"),
        "{again}"
    );
    assert!(
        here.bad(&["operator", "add", "--email", "nobody"])
            .contains("nobody")
    );
}

#[test]
fn a_broken_file_is_named_with_its_line() {
    let here = Installation::new("");
    here.folder.file("broken.yaml", "organizations:\n  - idd: x\n");
    let error = here.bad(&["apply", "broken.yaml"]);
    assert!(
        error.contains("broken.yaml") && error.contains("line 2") && error.contains("did you mean `id`?"),
        "{error}"
    );
    here.folder.file("list.yaml", "- organizations\n");
    let error = here.bad(&["apply", "list.yaml"]);
    assert!(
        error.contains("expected organizations, connections, applications or users"),
        "{error}"
    );
    assert!(here.bad(&["apply", "nowhere.yaml"]).contains("nowhere.yaml"));
    here.good(&["export"]);
    here.folder
        .file("other.key", "X0fxj2D96AHho8RwIbPFHwnQJQDNlR//x/Ojxsuj6W0=\n");
    let error = here.bad(&["export", "--data-key-file", "other.key"]);
    assert!(
        error.contains("the data key does not fit this database"),
        "{error}"
    );
}

#[test]
fn a_wrong_configuration_stops_every_command() {
    let here = Installation::new("listne = \"x\"\n");
    for command in ["serve", "export", "doctor"] {
        let output = here.run(&[command]);
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success());
        assert!(
            text.contains("unknown key `listne`") && text.contains("did you mean `listen`?"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn serve_starts_answers_and_stops_in_good_order() {
    let here = Installation::new("log_format = \"json\"\n");
    let mut server = here.serve();
    let url = format!("http://127.0.0.1:{}", here.port);
    assert_eq!(
        get(&format!("{url}/healthz"), None).await.unwrap(),
        (200, b"ok\n".to_vec())
    );
    let (status, body) = get(&format!("{url}/readyz"), None).await.unwrap();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    get(&format!("{url}/login?code=hunter2&state=hunter3"), None)
        .await
        .unwrap();
    server.signal("TERM");
    assert!(server.wait(), "exit code 0: {}", server.log());
    let log = server.log();
    assert!(log.contains("stopping") && log.contains("\"stopped\""), "{log}");
    assert!(!log.contains("hunter"), "no query strings in logs: {log}");
    for line in log.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    assert!(get(&format!("{url}/healthz"), None).await.is_err());
}

#[tokio::test]
async fn a_request_that_runs_at_shutdown_is_answered() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let here = Installation::new("");
    let mut server = here.serve();
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", here.port))
        .await
        .unwrap();
    // Half a request: it is running when the signal comes.
    stream.write_all(b"POST /login HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 7\r\n\r\nem").await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.signal("TERM");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(server.child.try_wait().unwrap().is_none(), "still finishing");
    stream.write_all(b"ail=x").await.unwrap();
    let mut answer = String::new();
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_string(&mut answer))
        .await
        .unwrap();
    assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    assert!(server.wait(), "{}", server.log());
}

#[tokio::test]
async fn tls_is_served_from_certificate_files_that_may_be_renewed() {
    let here = Installation::new("tls_certificate = \"cert.pem\"\ntls_key = \"key.pem\"\n");
    let first = certificate(&here.folder);
    let server = here.serve();
    let url = format!("https://127.0.0.1:{}/healthz", here.port);
    assert_eq!(get(&url, Some(first.as_bytes())).await.unwrap().0, 200);
    assert!(
        get(&url, None).await.is_err(),
        "an unknown authority is not trusted"
    );
    let second = certificate(&here.folder);
    server.signal("HUP");
    let mut is_renewed = false;
    for _ in 0..400 {
        is_renewed = get(&url, Some(second.as_bytes())).await.is_ok();
        if is_renewed {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(is_renewed, "{}", server.log());
    assert!(get(&url, Some(first.as_bytes())).await.is_err());
    let doctor = here.good(&["doctor"]);
    assert!(doctor.contains("TLS: cert.pem: certificate of"), "{doctor}");
}

/// Writes a new certificate for 127.0.0.1 and its key; returns it as PEM.
fn certificate(folder: &Folder) -> String {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    folder.file("key.pem", key.serialize_pem());
    folder.file("cert.pem", certificate.pem());
    certificate.pem()
}

#[test]
fn unusable_certificates_are_named() {
    let here = Installation::new("tls_certificate = \"cert.pem\"\ntls_key = \"key.pem\"\n");
    here.folder.file("cert.pem", "nothing");
    here.folder.file("key.pem", "nothing");
    assert!(here.bad(&["serve"]).contains("cert.pem"));
    assert!(!here.run(&["doctor"]).status.success());
}

#[test]
fn a_backup_restores_into_an_empty_installation_with_the_same_key() {
    let old = Installation::new("");
    old.good(&["apply", "provost.yaml"]);
    let file = old.folder.0.join("backup.jsonl");
    let file = file.to_str().unwrap();
    assert!(old.good(&["backup", file]).contains("rows"));
    assert!(
        old.bad(&["backup", file]).contains("no backup in"),
        "never overwritten"
    );
    let new = Installation::new("");
    assert!(
        new.bad(&["restore", file]).contains("data key"),
        "without the key nothing could be opened"
    );
    std::fs::create_dir_all(new.folder.0.join("data")).unwrap();
    std::fs::copy(
        old.folder.0.join("data/data.key"),
        new.folder.0.join("data/data.key"),
    )
    .unwrap();
    assert!(new.good(&["restore", file]).contains("rows restored"));
    assert_eq!(new.good(&["export"]), old.good(&["export"]));
    std::fs::copy(old.folder.0.join("idp.xml"), new.folder.0.join("idp.xml")).unwrap();
    assert!(
        new.good(&["apply", "provost.yaml"]).contains("no changes"),
        "secrets came along"
    );
    assert!(
        new.bad(&["restore", file]).contains("was not restored"),
        "only into an empty database"
    );
    let other = Installation::new("");
    other.good(&["export"]);
    assert!(
        other.bad(&["restore", file]).contains("was not restored"),
        "another key is noticed"
    );
}

#[test]
fn the_doctor_finds_what_must_be_mended() {
    let here = Installation::new("");
    let before = here.good(&["doctor"]);
    assert!(before.contains("ok    database"), "{before}");
    assert!(before.contains("is the server running?"), "{before}");
    let server = here.serve();
    let running = here.good(&["doctor"]);
    assert!(running.contains("healthz answers"), "{running}");
    drop(server);
    let key = here.folder.0.join("data/data.key");
    make_readable(&key);
    assert!(here.good(&["doctor"]).contains("can be read by others"));
    std::fs::write(&key, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").unwrap();
    let output = here.run(&["doctor"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        !output.status.success() && text.contains("BAD   database"),
        "{text}"
    );
}

#[test]
fn the_doctor_sees_that_somebody_changed_the_audit_log() {
    let here = Installation::new("");
    here.good(&["apply", "provost.yaml"]);
    let text = here.good(&["doctor"]);
    assert!(
        text.contains("ok    audit log") && text.contains("unbroken"),
        "{text}"
    );
    assert!(!text.contains("audit log: 0 rows"), "{text}");
    let database = rusqlite::Connection::open(here.folder.0.join("data/provost.db")).unwrap();
    let change = |sql: &str| database.execute(sql, []).unwrap();
    let last = "WHERE organization <> '' AND sequence = (SELECT MAX(b.sequence) FROM audit b WHERE b.organization = audit.organization)";
    assert!(change(&format!("UPDATE audit SET actor = actor || '!' {last}")) > 0);
    let broken = || {
        let output = here.run(&["doctor"]);
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let text = broken();
    assert!(text.contains("BAD   audit log: rows of organization "), "{text}");
    change(&format!(
        "UPDATE audit SET actor = substr(actor, 1, length(actor) - 1) {last}"
    ));
    here.good(&["doctor"]);
    // A log that ends too early is no shorter log.
    assert!(change(&format!("DELETE FROM audit {last}")) > 0);
    let text = broken();
    assert!(text.contains("BAD   audit log: rows of organization "), "{text}");
}

fn make_readable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
}

/// Sends a request over a connection of its own and returns the status.
fn raw(port: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> u16 {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        for part in [name, ": ", value, "\r\n"] {
            request.push_str(part);
        }
    }
    stream
        .write_all(format!("{request}\r\n{body}").as_bytes())
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn r162_nothing_that_a_directory_proves_itself_with_reaches_the_log_of_the_process() {
    let here = Installation::new("log_level = \"debug\"");
    here.folder.file(
        "provost.yaml",
        documents::CONTRACT.replacen("provisioning: jit", "provisioning: scim", 1),
    );
    here.good(&["apply", "provost.yaml"]);
    let made = here.good(&[
        "scim-token",
        "create",
        "--connection",
        "home-okta",
        "--label",
        "oauth",
        "--oauth",
    ]);
    let words = || made.split_whitespace();
    let (id, secret) = (
        words().find(|word| word.starts_with("scl_")).unwrap(),
        words().find(|word| word.starts_with("pvc_")).unwrap(),
    );
    let server = here.serve();
    let json = ("Content-Type", "application/scim+json");
    let bearer = |token: &str| format!("Bearer {token}");
    let right = bearer(documents::SECRETS[0]);
    let user = r#"{"userName":"ann@home-lab.example","password":"a-pushed-password-123"}"#;
    let users = "/scim/home-okta/v2/Users";
    let as_directory = [("Authorization", right.as_str()), json];
    assert_eq!(raw(here.port, "POST", users, &as_directory, user), 201);
    assert_eq!(
        raw(
            here.port,
            "POST",
            users,
            &as_directory,
            "{\"password\":\"a-pushed-password-123\""
        ),
        400
    );
    let with_query = format!("{users}?access_token=a-token-in-the-query-123&count=1");
    assert_eq!(raw(here.port, "GET", &with_query, &as_directory, ""), 200);
    let wrong = bearer("a-wrong-token-9876543210");
    assert_eq!(
        raw(here.port, "GET", users, &[("Authorization", &wrong)], ""),
        401
    );
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(raw(here.port, "POST", "/oauth2/token", &[kind], &form), 200);
    let log = server.log();
    assert!(
        log.contains("DEBUG"),
        "the log is as talkative as it can be: {log}"
    );
    for secret in [
        documents::SECRETS[0],
        "a-pushed-password-123",
        "a-token-in-the-query-123",
        "a-wrong-token-9876543210",
        secret,
    ] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
