//! The command line of `poterne-relay`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// A relay of Poterne: it holds sealed envelopes until those who may read them fetch them.
#[derive(Debug, Parser)]
#[command(name = "poterne-relay", version, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Shows and checks configurations
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Looks for what could go wrong: config, permissions, disk, clock, network
    Doctor(Doctor),
    /// Makes a relay's folder with its identity key and config
    Init(Init),
    /// Runs the relay in the foreground
    Run(Run),
}

/// `init`
#[derive(Args, Debug)]
pub struct Init {
    /// The folder to make
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
    /// The UDP address to listen on
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: SocketAddr,
    /// The host and port that clients dial, where it is not the one above
    #[arg(long, value_name = "HOST:PORT")]
    pub public: Option<String>,
    /// Prints the relay's address as JSON
    #[arg(long)]
    pub json: bool,
}

/// `run`
#[derive(Args, Debug)]
pub struct Run {
    /// The config file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Drains and ends when standard input closes, so that no relay outlives who started it
    #[arg(long)]
    pub until_stdin_closes: bool,
}

/// `doctor`
#[derive(Args, Debug)]
pub struct Doctor {
    /// The config file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Prints the findings as JSON
    #[arg(long)]
    pub json: bool,
}

/// `config`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Checks a config file together with the environment
    Check {
        /// The config file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Prints a config file with every setting and its default
    Sample,
    /// Prints a JSON Schema of the config file
    Schema,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_words_that_scripts_rely_on_are_known() {
        for words in [
            "init --dir R --listen 127.0.0.1:4433 --json",
            "init --dir R --listen [::]:443 --public relay.example.org:443",
            "run --config R/relay.toml",
            "run --config R/relay.toml --until-stdin-closes",
            "doctor --config R/relay.toml --json",
            "config check --config R/relay.toml",
            "config sample",
            "config schema",
        ] {
            let words = std::iter::once("poterne-relay").chain(words.split(' '));
            assert!(Cli::try_parse_from(words).is_ok());
        }
    }
}
