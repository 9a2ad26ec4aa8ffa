//! Reads the config: defaults, then the file, then the environment.

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format as _, Serialized, Toml};

use super::Config;

/// What the name of a setting stands behind in the environment.
pub const ENVIRONMENT_PREFIX: &str = "POTERNE_RELAY_";
/// Bytes of an operator's name at most: it stands in the descriptor.
const OPERATOR_NAME_BYTES: usize = 64;

/// Why a config cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there or not readable.
    #[error("The config {path} can't be read ({error}). Make one with `poterne-relay init`.")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A name or a value is not one that this version knows.
    #[error("The config {path} is not right: {error}. `poterne-relay config sample` shows every setting.")]
    Syntax {
        /// Which file, beside the environment.
        path: PathBuf,
        /// What is wrong.
        error: Box<figment::Error>,
    },
    /// A value is outside of what it may be.
    #[error("The setting {name} is not right: {why}. Change it in the config file or the environment.")]
    Value {
        /// Which setting.
        name: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// Reads and checks the config at `path`. Relative paths in it come back joined to its folder.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|error| ConfigError::File { path: path.to_owned(), error })?;
    let mut config = parse(&text).map_err(|error| ConfigError::Syntax { path: path.to_owned(), error })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    for setting in [&mut config.identity_file, &mut config.data_dir] {
        *setting = folder.join(&setting);
    }
    check(&config)?;
    Ok(config)
}

/// Whether a config file of this text, with the environment, would be taken.
pub fn is_accepted(text: &str) -> bool {
    parse(text).is_ok_and(|config| check(&config).is_ok())
}

fn parse(text: &str) -> Result<Config, Box<figment::Error>> {
    Figment::from(Serialized::defaults(Config::default()))
        .merge(Toml::string(text))
        .merge(Env::prefixed(ENVIRONMENT_PREFIX))
        .extract()
        .map_err(Box::new)
}

fn check(config: &Config) -> Result<(), ConfigError> {
    let at_least_one = "it must be at least 1";
    let rules = [
        ("answers_mib", (1..=65_536).contains(&config.answers_mib), "it must be from 1 to 65536"),
        ("channel_threads", config.channel_threads > 0, at_least_one),
        ("channels_per_connection", config.channels_per_connection > 0, at_least_one),
        ("connections", config.connections > 0, at_least_one),
        ("erase_minutes", config.erase_minutes > 0, at_least_one),
        ("fetch_envelopes", (1..=64).contains(&config.fetch_envelopes), "it must be from 1 to 64"),
        ("fetch_wait_secs", config.fetch_wait_secs <= 60, "it must be at most 60"),
        ("handshakes", config.handshakes > 0, at_least_one),
        ("idle_secs", config.idle_secs >= 30, "it must be at least 30"),
        ("log_level", is_level(&config.log_level), "it must be error, warn, info, debug or trace"),
        ("operator_name", config.operator_name.len() <= OPERATOR_NAME_BYTES, "it must be at most 64 bytes"),
        (
            "permits",
            !config.permits,
            "this version can't issue permits yet, so that nobody could open anything",
        ),
        (
            "public",
            has_public_host(config),
            "listening on all addresses, it must name the host and port for clients",
        ),
        ("requests_mib", (1..=65_536).contains(&config.requests_mib), "it must be from 1 to 65536"),
        ("requests_per_channel", config.requests_per_channel > 0, at_least_one),
        ("reserve_percent", config.reserve_percent < 100, "it must be less than 100"),
        ("segment_mib", (1..=1024).contains(&config.segment_mib), "it must be from 1 to 1024"),
    ];
    match rules.iter().find(|(_, holds, _)| !holds) {
        Some((name, _, why)) => Err(ConfigError::Value { name, why }),
        None => Ok(()),
    }
}

fn is_level(text: &str) -> bool {
    ["error", "warn", "info", "debug", "trace"].contains(&text)
}

fn has_public_host(config: &Config) -> bool {
    !config.public.is_empty() || !config.listen.ip().is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_nobody_knows_is_refused() {
        let error = parse("listne = \"127.0.0.1:1\"").unwrap_err().to_string();
        assert!(error.contains("listne"), "{error}");
    }

    #[test]
    fn a_value_of_the_wrong_type_is_refused_by_name() {
        let error = parse("permits = 3").unwrap_err().to_string();
        assert!(error.contains("permits"), "{error}");
    }

    #[test]
    fn paths_start_at_the_folder_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relay.toml");
        std::fs::write(&path, "data_dir = \"elsewhere\"\nidentity_file = \"/etc/id\"\n").unwrap();
        let config = load(&path).unwrap();
        assert_eq!(config.data_dir, folder.path().join("elsewhere"));
        assert_eq!(config.identity_file, Path::new("/etc/id"));
    }

    #[test]
    fn a_missing_file_is_told_with_the_way_out() {
        let error = load(Path::new("/no/such/relay.toml")).unwrap_err().to_string();
        assert!(error.contains("/no/such/relay.toml") && error.contains("poterne-relay init"), "{error}");
    }

    #[test]
    fn a_relay_on_all_addresses_needs_a_public_name() {
        let config = parse("listen = \"[::]:4433\"").unwrap();
        assert!(matches!(check(&config), Err(ConfigError::Value { name: "public", .. })));
        let config = parse("listen = \"[::]:4433\"\npublic = \"relay.example.org:4433\"").unwrap();
        assert!(check(&config).is_ok());
    }

    #[test]
    fn the_default_config_is_right() {
        assert!(check(&Config::default()).is_ok());
    }
}
