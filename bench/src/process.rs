//! The programs under test: the real binary, pinned to a core, stopped by its process id; and what the kernel
//! counted for a process. Never touches a process that it did not start.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::clock;

/// Ticks per second in `/proc/PID/stat`: fixed by the Linux interface on every architecture we run on.
const TICKS_PER_SECOND: f64 = 100.0;
/// How long a program may take to get ready or to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running `provost serve`. Killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts the binary. With `core`, it runs on that processor only.
    pub fn start(binary: &Path, config: &Path, log: &Path, core: Option<usize>) -> Result<Self> {
        let mut command = match core {
            Some(core) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &core.to_string()]).arg(binary);
                command
            }
            None => Command::new(binary),
        };
        let output = File::create(log)?;
        let child = command
            .arg("serve")
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    /// Returns its process id: `taskset` becomes the program that it starts.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Fails with the end of its log when it has ended.
    pub fn check(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("provost serve ended ({status}):\n{}", self.tail());
        }
        Ok(())
    }

    /// Returns the last lines that it printed.
    pub fn tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines
            .get(lines.len().saturating_sub(12)..)
            .unwrap_or_default()
            .join("\n")
    }

    /// Asks it to stop and waits.
    pub fn stop(mut self) -> Result<()> {
        Command::new("kill").arg(self.pid().to_string()).status()?;
        let start = clock::start();
        while start.elapsed() < PATIENCE {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("provost serve did not stop within {PATIENCE:?}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a command of the binary to its end.
pub fn run(binary: &Path, arguments: &[&str], config: &Path) -> Result<()> {
    output(binary, arguments, config).map(drop)
}

/// Runs a command of the binary to its end and returns what it printed.
pub fn output(binary: &Path, arguments: &[&str], config: &Path) -> Result<String> {
    let output = Command::new(binary)
        .args(arguments)
        .arg("--config")
        .arg(config)
        .output()?;
    if !output.status.success() {
        bail!(
            "provost {} failed:\n{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Returns the processor time of a process and of its children that still run, in seconds.
pub fn processor_seconds(pid: u32) -> f64 {
    let own = stat(pid).map_or(0, |stat| stat.ticks);
    let children: u64 = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(stat)
        .filter(|stat| stat.parent == pid)
        .map(|stat| stat.ticks)
        .sum();
    #[expect(clippy::cast_precision_loss, reason = "ticks of a run are far below 2^52")]
    let ticks = (own + children) as f64;
    ticks / TICKS_PER_SECOND
}

struct Stat {
    parent: u32,
    ticks: u64,
}

/// Reads `/proc/PID/stat` (proc(5)): the name in parentheses may hold spaces, so fields are counted after it.
fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after) = text.rsplit_once(')')?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        parent: u32::try_from(number(1)?).ok()?,
        ticks: number(11)? + number(12)?,
    })
}

/// Returns the memory that a process holds, in MB (10^6 bytes).
pub fn memory_megabytes(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .context("no VmRSS")?;
    let kibibytes: f64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(kibibytes * 1024.0 / 1e6)
}
