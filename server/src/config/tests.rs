use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use secrecy::ExposeSecret as _;

use super::*;
use crate::world::World;

fn error(flags: &[(&str, &str)]) -> String {
    let flags = flags
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Config::load(&Sources {
        flags,
        ..Sources::default()
    })
    .expect_err("must be refused")
    .to_string()
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let unique = World::new().id(name).unwrap();
        let path = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::File::create(&path)
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn defaults_are_complete() {
    let config = Config::load(&Sources::default()).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.issuer(), "http://127.0.0.1:8080");
    assert_eq!(config.url("/login"), "http://127.0.0.1:8080/login");
    assert!(!config.is_https());
    assert_eq!(config.database_url.expose_secret(), "sqlite:./data/provost.db");
    assert_eq!(config.session_idle_seconds, 7200);
    assert_eq!(config.sqlite_synchronous, Synchronous::Full);
    assert!(!config.allow_private_addresses);
}

#[test]
fn flags_win_over_environment_over_file() {
    let folder = Folder::new("config");
    let file = folder.file(
        "provost.toml",
        "session_hours = 1\ntrace_days = 1\nlog_level = \"warn\"\n",
    );
    let environment = BTreeMap::from([
        ("PROVOST_SESSION_HOURS".to_owned(), "2".to_owned()),
        ("PROVOST_TRACE_DAYS".to_owned(), "2".to_owned()),
    ]);
    let flags = BTreeMap::from([("session_hours".to_owned(), "3".to_owned())]);
    let config = Config::load(&Sources {
        file: Some(file),
        environment,
        flags,
    })
    .unwrap();
    assert_eq!(config.session_seconds, 3 * 3600);
    assert_eq!(config.trace_days, 2);
    assert_eq!(config.log_level, "warn");
}

#[test]
fn lists_may_be_toml_lists_or_commas() {
    let folder = Folder::new("config");
    let file = folder.file("provost.toml", "trusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n");
    let config = Config::load(&Sources {
        file: Some(file),
        ..Sources::default()
    })
    .unwrap();
    assert_eq!(config.trusted_proxies.len(), 2);
    let config = Config::load(&Sources::from_flags([(
        "trusted_proxies",
        "10.0.0.0/8, fd00::/8",
    )]))
    .unwrap();
    assert_eq!(config.trusted_proxies.len(), 2);
}

#[test]
fn each_error_names_key_and_source() {
    for (key, value, wanted) in [
        (
            "listen",
            "localhost",
            "`listen` (flag --listen): `localhost` is not an address and port",
        ),
        ("public_url", "http://sso.example.com", "must be https"),
        ("public_url", "https://sso.example.com/base", "nothing more"),
        ("public_url", "nonsense", "`public_url` (flag --public-url)"),
        (
            "database_url",
            "mysql://x",
            "must begin with sqlite: or postgres://",
        ),
        ("database_connections", "0", "from 1 to 200"),
        ("sqlite_synchronous", "off", "one of: full, normal"),
        ("trusted_proxies", "10.0.0.0/40", "not an address or a block"),
        ("tls_certificate", "a.pem", "needs tls_key"),
        ("tls_key", "a.pem", "needs tls_certificate"),
        ("allow_private_addresses", "maybe", "one of: true, false"),
        ("outbound_ca_file", "/nowhere/ca.pem", "cannot be read"),
        ("session_hours", "-1", "from 1 to"),
        ("session_idle_minutes", "x", "from 1 to"),
        ("signing_key_days", "0", "from 1 to"),
        ("trace_days", "0", "from 1 to"),
        ("metrics_token", "short", "at least 16 characters"),
        ("log_format", "xml", "one of: text, json"),
        ("log_level", "provost=loudest", "`log_level`"),
        ("shutdown_seconds", "99999", "from 0 to 3600"),
    ] {
        let message = error(&[(key, value)]);
        assert!(
            message.contains(wanted) && message.contains(key),
            "{key}: {message}"
        );
    }
    assert!(error(&[("listen", "0.0.0.0:8080")]).contains("public_url"));
}

#[test]
fn unknown_keys_are_refused_with_a_suggestion() {
    let folder = Folder::new("config");
    let file = folder.file("provost.toml", "trusted_proxy = \"10.0.0.0/8\"\n");
    let error = Config::load(&Sources {
        file: Some(file),
        ..Sources::default()
    })
    .unwrap_err()
    .to_string();
    assert!(
        error.contains("`trusted_proxy`") && error.contains("did you mean `trusted_proxies`?"),
        "{error}"
    );
}

#[test]
fn a_broken_file_is_named_with_its_position() {
    let folder = Folder::new("config");
    let file = folder.file("provost.toml", "listen = \"127.0.0.1:8080\"\nlog_level = \n");
    let error = Config::load(&Sources {
        file: Some(file),
        ..Sources::default()
    })
    .unwrap_err()
    .to_string();
    assert!(
        error.contains("provost.toml") && error.contains("line 2"),
        "{error}"
    );
    let error = Config::load(&Sources {
        file: Some("/nowhere/provost.toml".into()),
        ..Sources::default()
    });
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("/nowhere/provost.toml cannot be read")
    );
}

#[test]
fn secrets_stay_out_of_debug_output() {
    let config = Config::load(&Sources::from_flags([
        ("database_url", "postgres://u:hunter2-database@127.0.0.1/provost"),
        ("metrics_token", "hunter2-metrics-token"),
        ("data_key", "hunter2-key"),
    ]))
    .unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn the_data_key_is_made_once_and_kept_private() {
    let folder = Folder::new("key");
    let data = folder.0.join("data");
    let config = Config::load(&Sources::from_flags([("data_dir", data.to_str().unwrap())])).unwrap();
    assert!(data_key::load(&config).unwrap().is_none());
    let first = data_key::load_or_create(&config, &World::new()).unwrap();
    let second = data_key::load_or_create(&config, &World::new()).unwrap();
    assert_eq!(*first[0], *second[0]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&data.join("data.key")), 0o600);
        assert_eq!(mode(&data), 0o700);
    }
}

#[test]
fn postgresql_needs_a_given_data_key() {
    let url = ("database_url", "postgres://u@127.0.0.1/provost");
    let config = Config::load(&Sources::from_flags([url])).unwrap();
    assert!(matches!(
        data_key::load_or_create(&config, &World::new()),
        Err(data_key::DataKeyError::Required)
    ));
    let key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    let two = format!("{key},{key}");
    let config = Config::load(&Sources::from_flags([url, ("data_key", &two)])).unwrap();
    assert_eq!(data_key::load_or_create(&config, &World::new()).unwrap().len(), 2);
    let config = Config::load(&Sources::from_flags([url, ("data_key", "c2hvcnQ=")])).unwrap();
    let error = data_key::load_or_create(&config, &World::new())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("32 random bytes") && !error.contains("c2hvcnQ"),
        "{error}"
    );
}
