//! The configuration flags that every command understands, made from the table of keys.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use crate::config::keys::KEYS;
use crate::config::{Config, ConfigError, Sources};

/// `--config FILE` and one flag per configuration key.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    file: Option<PathBuf>,
    flags: BTreeMap<String, String>,
}

impl Settings {
    /// Reads the configuration from file, environment and these flags.
    ///
    /// # Errors
    /// The first [`ConfigError`] found.
    pub fn load(&self) -> Result<Config, ConfigError> {
        Config::load(&self.sources())
    }

    /// Returns where the configuration is read from.
    pub fn sources(&self) -> Sources {
        Sources::from_process(self.file.clone(), self.flags.clone())
    }
}

impl Args for Settings {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new("config")
            .long("config")
            .short('c')
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("Configuration file [default: provost.toml if there is one]")
            .help_heading("Configuration");
        // Secrets have no flag: command lines are visible to every user of the machine.
        KEYS.iter()
            .filter(|key| !key.is_secret || key.name == "database_url")
            .fold(command.arg(file), |command, key| {
                let default = if key.default.is_empty() {
                    String::new()
                } else {
                    format!(" [default: {}]", key.default)
                };
                command.arg(
                    Arg::new(key.name)
                        .long(key.flag())
                        .value_name(key.kind.to_ascii_uppercase())
                        .help(format!("{}{default}", key.help))
                        .help_heading("Configuration")
                        .hide_short_help(!matches!(
                            key.name,
                            "listen" | "public_url" | "database_url" | "data_dir"
                        )),
                )
            })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Settings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut settings = Self::default();
        settings.update_from_arg_matches(matches)?;
        Ok(settings)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        if let Some(file) = matches.get_one::<PathBuf>("config") {
            self.file = Some(file.clone());
        }
        for key in KEYS {
            if let Ok(Some(value)) = matches.try_get_one::<String>(key.name) {
                self.flags.insert(key.name.to_owned(), value.clone());
            }
        }
        Ok(())
    }
}
