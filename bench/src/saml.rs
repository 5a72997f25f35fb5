//! How long one SAML Response takes to verify: ours in several forms, and each peer on the same message.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use provost_saml::issue::{Encryption, IdentityProvider, KeyTransport, idp_metadata};
use provost_saml::key::{DecryptionKey, VerifyingKey};
use provost_saml::response::{Expected, Trust, verify};
use provost_saml::{ContentCipher, Limits};
use serde::Deserialize;
use serde_json::json;

use crate::clock::{self, Sorted};
use crate::identity_provider::{KeyKind, Party, Person, Request, Signed, answer};
use crate::progress;
use crate::report::{Entry, Results};

const IDP: &str = "https://idp.example/metadata";
const SSO: &str = "https://idp.example/sso";
const SP: &str = "https://sp.example/saml/metadata";
const ACS: &str = "https://sp.example/saml/acs";
const REQUEST: &str = "_5f1b8f6c0b4a4a1e9d3c2b1a09f8e7d6";

/// A peer: name, program and first arguments. The directory of the message and the seconds follow.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Name for tables.
    pub name: String,
    /// Command line.
    pub command: Vec<String>,
}

/// What a peer prints.
#[derive(Debug, Deserialize)]
struct Answer {
    version: String,
    subject: String,
    milliseconds: f64,
}

/// One form of a sign-in.
struct Form {
    name: &'static str,
    response: String,
}

/// Runs `rounds` rounds: in each, every form of ours and every peer once, so that noise meets all alike.
pub fn run(directory: &Path, peers: &[Peer], rounds: u32, seconds: f64, results: &mut Results) -> Result<()> {
    let person = Person::numbered("home-lab.example", 7);
    let (rsa, ecdsa, own) = (
        Party::new(KeyKind::Rsa)?,
        Party::new(KeyKind::Ecdsa)?,
        Party::new(KeyKind::Rsa)?,
    );
    let ours = [(KeyKind::Rsa, &rsa), (KeyKind::Ecdsa, &ecdsa)];
    let mut forms = Vec::new();
    for (kind, party) in ours {
        forms.push((kind, party, issue_forms(party, &own, &person)?));
    }
    write_message(directory, &rsa, &person, &forms)?;
    let decryption = [DecryptionKey::from_pkcs8_der(&own.pkcs8)?];

    let mut times: Vec<(String, String, Vec<f64>)> = Vec::new();
    let mut failed: Vec<(String, String)> = Vec::new();
    let bar = progress::bar(u64::from(rounds), "SAML verification, rounds");
    for _ in 0..rounds {
        for (kind, party, issued) in &forms {
            for form in issued {
                let each = verify_for(party, &decryption, form, &person, seconds.min(1.0))?;
                add(
                    &mut times,
                    &format!("provost, {}, {}", kind.name(), form.name),
                    env!("CARGO_PKG_VERSION"),
                    each,
                );
            }
        }
        for peer in peers {
            if failed.iter().any(|(name, _)| *name == peer.name) {
                continue;
            }
            match ask(peer, directory, seconds, &person.subject) {
                Ok(answer) => add(&mut times, &peer.name, &answer.version, answer.milliseconds),
                Err(error) => failed.push((peer.name.clone(), format!("{error:#}"))),
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    for (name, version, each) in times {
        let sorted = Sorted::new(each);
        results.add(Entry::saml(name, version, sorted.median()));
    }
    for (name, reason) in failed {
        results.note(format!("{name} was left out: {reason}"));
    }
    Ok(())
}

fn add(times: &mut Vec<(String, String, Vec<f64>)>, name: &str, version: &str, each: f64) {
    match times.iter_mut().find(|(known, _, _)| known == name) {
        Some((_, _, all)) => all.push(each),
        None => times.push((name.to_owned(), version.to_owned(), vec![each])),
    }
}

fn issue_forms(party: &Party, own: &Party, person: &Person) -> Result<Vec<Form>> {
    let encryption = Encryption {
        recipient: &own.certificate,
        cipher: ContentCipher::Aes256Gcm,
        transport: KeyTransport::OaepSha1,
        random: [7; 48],
    };
    let request = Request {
        id: REQUEST,
        acs_url: ACS,
        audience: SP,
        issuer: IDP,
    };
    let form = |name, response, assertion, encrypted: bool| -> Result<Form> {
        let signed = Signed { response, assertion };
        let encryption = encrypted.then_some(&encryption);
        Ok(Form {
            name,
            response: answer(party, request, person, signed, encryption, clock::now())?,
        })
    };
    Ok(vec![
        form("signed assertion", false, true, false)?,
        form("signed response", true, false, false)?,
        form("both signed", true, true, false)?,
        form("signed, encrypted, signed", true, true, true)?,
    ])
}

/// Writes what the peers read: the RSA form with a signed assertion, which every one of them accepts.
fn write_message(
    directory: &Path,
    rsa: &Party,
    person: &Person,
    forms: &[(KeyKind, &Party, Vec<Form>)],
) -> Result<()> {
    fs::create_dir_all(directory)?;
    let message = forms
        .first()
        .and_then(|(_, _, issued)| issued.first())
        .context("there is a first form")?;
    let context = json!({
        "identity_provider": IDP, "sso_url": SSO, "service_provider": SP, "acs_url": ACS,
        "request_id": REQUEST, "subject": person.subject,
    });
    fs::write(directory.join("response.b64"), &message.response)?;
    fs::write(directory.join("idp.pem"), rsa.pem())?;
    fs::write(directory.join("context.json"), context.to_string())?;
    let metadata = idp_metadata(&IdentityProvider {
        entity_id: IDP,
        sso_url: SSO,
        slo_url: None,
        certificates: std::slice::from_ref(&rsa.certificate),
        want_authn_requests_signed: false,
    });
    fs::write(directory.join("idp-metadata.xml"), metadata)?;
    Ok(())
}

/// Returns the mean processor time of one verification, in milliseconds.
fn verify_for(
    party: &Party,
    decryption: &[DecryptionKey],
    form: &Form,
    person: &Person,
    seconds: f64,
) -> Result<f64> {
    let keys = [VerifyingKey::from_certificate(&party.certificate)?];
    let trust = Trust {
        idp_entity_id: IDP,
        keys: &keys,
        decryption_keys: decryption,
        allow_cbc: false,
        limits: Limits::MESSAGE,
    };
    let expected = Expected::new(ACS, SP, Some(REQUEST));
    for warm_up in [true, false] {
        let time = Duration::from_secs_f64(if warm_up { seconds * 0.3 } else { seconds });
        let (start, before, mut count) = (clock::start(), clock::processor_milliseconds()?, 0_u32);
        while start.elapsed() < time {
            let proven = verify(
                black_box(form.response.as_bytes()),
                &trust,
                &expected,
                clock::now(),
            )?;
            ensure!(
                proven.name_id().value == person.subject,
                "another person came out"
            );
            count += 1;
        }
        if !warm_up {
            return Ok((clock::processor_milliseconds()? - before) / f64::from(count));
        }
    }
    Ok(0.0)
}

/// Lets a peer verify the message, and checks that it found the same person.
fn ask(peer: &Peer, directory: &Path, seconds: f64, subject: &str) -> Result<Answer> {
    let (program, arguments) = peer.command.split_first().context("a command")?;
    let output = Command::new(program)
        .args(arguments)
        .arg(directory)
        .arg(seconds.to_string())
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{}",
        errors.lines().last().unwrap_or("it failed")
    );
    let answer: Answer = serde_json::from_str(last).context("it printed something else")?;
    ensure!(
        answer.subject == subject,
        "it found the person {:?}",
        answer.subject
    );
    Ok(answer)
}
