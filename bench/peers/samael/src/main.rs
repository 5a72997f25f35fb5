//! Verifies the sign-in in DIRECTORY over and over for SECONDS and prints one line of JSON, as every peer here does.
//!
//! usage: peer-samael DIRECTORY SECONDS

use std::error::Error;
use std::fs::read_to_string;
use std::path::Path;
use std::time::{Duration, Instant};

use samael::metadata::EntityDescriptor;
use samael::service_provider::{ServiceProvider, ServiceProviderBuilder};
use serde_json::{Value, json};

/// Time on a processor of this, the only, thread: other work on the machine disturbs it least (Linux, proc(5)).
fn processor_milliseconds() -> Result<f64, Box<dyn Error>> {
    let text = read_to_string("/proc/self/schedstat")?;
    let nanoseconds: f64 = text.split_whitespace().next().unwrap_or_default().parse()?;
    Ok(nanoseconds / 1e6)
}

fn verify_for(
    provider: &ServiceProvider,
    response: &str,
    request: &str,
    time: Duration,
) -> Result<(String, u32, f64), Box<dyn Error>> {
    let (start, before, mut rounds) = (Instant::now(), processor_milliseconds()?, 0);
    loop {
        let assertion = provider.parse_base64_response(response, Some(&[request]))?;
        rounds += 1;
        if start.elapsed() >= time {
            let each = (processor_milliseconds()? - before) / f64::from(rounds);
            let subject = assertion.subject.and_then(|s| s.name_id).map(|n| n.value);
            return Ok((subject.unwrap_or_default(), rounds, each));
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, directory, seconds] = arguments.as_slice() else {
        return Err("usage: peer-samael DIRECTORY SECONDS".into());
    };
    let (directory, seconds): (&Path, f64) = (Path::new(directory), seconds.parse()?);
    let context: Value = serde_json::from_str(&read_to_string(directory.join("context.json"))?)?;
    let text = |name: &str| context[name].as_str().unwrap_or_default().to_owned();
    let response = read_to_string(directory.join("response.b64"))?;
    let metadata: EntityDescriptor = read_to_string(directory.join("idp-metadata.xml"))?.parse()?;
    let provider = ServiceProviderBuilder::default()
        .entity_id(text("service_provider"))
        .acs_url(text("acs_url"))
        .idp_metadata(metadata)
        // The message is made once for a run of some minutes.
        .max_issue_delay(chrono::Duration::minutes(15))
        .build()?;

    let request = text("request_id");
    verify_for(&provider, &response, &request, Duration::from_secs_f64(seconds * 0.3))?;
    let (subject, rounds, each) = verify_for(&provider, &response, &request, Duration::from_secs_f64(seconds))?;
    let line = json!({
        "peer": "samael", "version": "0.0.22", "subject": subject, "rounds": rounds, "milliseconds": each,
    });
    println!("{line}");
    Ok(())
}
