//! The words of the command line (docs/cli.md), parsed by clap; help stays in English.
//!
//! Invariant: a text for the other side is taken as it is, also when it begins with a hyphen; only known options are
//! options. A line of `shell` takes the same words without the options that belong to the whole run.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use poterne_client_core::vault::Params;

const EXAMPLES: &str = "\
Ask for help, with the card that you were given:
  poterne ask poterne:AQEA... 'I need help'
  poterne inbox
  poterne say 'Thank you. I can leave after dark.'

Answer as a volunteer:
  poterne desk create --name 'Way out' --relay 'poterne-relay://relay.example.org:443#...'
  poterne queue
  poterne claim
  poterne reply 3f9c... 'We can help. Are you safe now?'

Texts may come from standard input, so that they stand in no shell history:
  poterne say < letter.txt

Exit codes: 0 done, 1 failed, 2 the words were not understood.";

/// Ask for help through a sealed letterbox, or answer as a volunteer.
#[derive(Debug, Parser)]
#[command(name = "poterne", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub struct CommandLine {
    /// What holds for the whole run.
    #[command(flatten)]
    pub run: RunArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Words,
}

/// What holds for the whole run.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// The folder that holds the vault [default: poterne in the user's data folder]
    #[arg(long, global = true, env = "POTERNE_HOME", value_name = "DIR", hide_env_values = true)]
    pub home: Option<PathBuf>,
    /// Read the passphrase from this file instead of asking; the last newline is dropped
    #[arg(long, global = true, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Answer in JSON, errors too
    #[arg(long, global = true)]
    pub json: bool,
    /// Language of the texts: en, fr, ru or uk [default: the locale]
    #[arg(long, global = true, value_name = "LANGUAGE")]
    pub lang: Option<String>,
    /// How large a new vault becomes and what a guess costs; for tests
    #[arg(long, global = true, hide = true, env = "POTERNE_VAULT", value_name = "SIZE")]
    pub vault_size: Option<VaultSize>,
}

/// Sizes of a new vault. A smaller one than a home's own is for tests: it is cheap to guess.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum VaultSize {
    /// 256 MiB and 256 MiB of memory for a guess.
    Desk,
    /// 16 MiB and 64 MiB of memory for a guess.
    Requester,
    /// As small and cheap as the format allows.
    Smallest,
}

impl VaultSize {
    /// Sizes and costs in numbers.
    pub fn params(self) -> Params {
        match self {
            Self::Desk => Params::desk(),
            Self::Requester => Params::requester(),
            Self::Smallest => Params::smallest(),
        }
    }
}

/// The commands of a whole run.
#[derive(Debug, Subcommand)]
pub enum Words {
    /// What one line of `shell` can say too.
    #[command(flatten)]
    One(Command),
    /// Change the passphrase, or add one that can be given away under duress
    #[command(subcommand)]
    Passphrase(Passphrase),
    /// Open the vault once and take one command a line from standard input
    ///
    /// A line is a JSON array of words, or words quoted as in a POSIX shell. Each line is answered by one line of JSON;
    /// at a terminal, and without --json, by texts for people.
    Shell,
    /// Overwrite and remove the vault: everything in it is gone for ever
    Wipe {
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
}

/// The commands that a home carries out.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask for help: seal a request to the desk of a card and send it
    Ask {
        /// The card: a text that begins with poterne:
        card: String,
        #[command(flatten)]
        text: Text,
        #[command(flatten)]
        with: With,
        #[command(flatten)]
        language: Language,
        #[command(flatten)]
        clock: ClockChoice,
    },
    /// Take a request from the queue: the oldest one, or the one with this id
    Claim {
        /// The id of a request, as `queue` shows it
        id: Option<String>,
    },
    /// Close a case
    Close {
        /// The case, as `claim` and `status` show it
        case: String,
    },
    /// Send a message that says nothing, and look for new ones in a way that always looks the same
    ///
    /// Who counts what this machine sends can then tell less of when something is said. Run it at times that don't
    /// depend on what happens, by a timer for example.
    Cover {
        /// A desk's case, or one of several conversations; `status` lists them
        id: Option<String>,
    },
    /// Make a desk, or show its card
    #[command(subcommand)]
    Desk(Desk),
    /// Fetch what is new and show the conversation, oldest first
    Inbox {
        #[command(flatten)]
        to: To,
        #[command(flatten)]
        into: Folder,
    },
    /// Fetch and show the requests that wait
    Queue,
    /// Fetch what is new in a case and show it, oldest first
    Read {
        /// The case, as `claim` and `status` show it
        case: String,
        #[command(flatten)]
        into: Folder,
    },
    /// Give a claimed request back to the queue
    Release {
        /// The case, as `claim` and `status` show it
        case: String,
    },
    /// Answer in a case
    Reply {
        /// The case, as `claim` and `status` show it
        case: String,
        #[command(flatten)]
        text: Text,
        #[command(flatten)]
        with: With,
    },
    /// Write on in a conversation
    Say {
        #[command(flatten)]
        text: Text,
        #[command(flatten)]
        with: With,
        #[command(flatten)]
        to: To,
        /// Begin anew with the same desk, as the same person, when the conversation can't go on
        #[arg(long)]
        again: bool,
        #[command(flatten)]
        clock: ClockChoice,
    },
    /// Tell what this home holds, what is on its way, and how the relays are
    Status,
}

/// The commands about a desk.
#[derive(Debug, Subcommand)]
pub enum Desk {
    /// Show the desk's card as a link and as a QR code
    Card,
    /// Make a desk in this home, open it at the relays and show its card
    Create {
        /// The desk's name, for volunteers
        #[arg(long)]
        name: String,
        /// A relay's address, as `poterne-relay init` prints it; may repeat
        #[arg(long = "relay", required = true, value_name = "ADDRESS")]
        relays: Vec<String>,
    },
}

/// The commands about passphrases.
#[derive(Debug, Subcommand)]
pub enum Passphrase {
    /// Replace the passphrase that opens this home
    Change {
        #[command(flatten)]
        new: NewPassphrase,
    },
    /// Add a passphrase to give away under duress: it opens a home of its own in the same vault, which is empty at first
    ///
    /// Nobody can see how many homes a vault holds, this program neither: a further one may take the place of one that
    /// was added before.
    Duress {
        #[command(flatten)]
        new: NewPassphrase,
        /// When it is first used, everything else in the vault is overwritten, without a word
        #[arg(long)]
        burn: bool,
    },
}

/// Where the new passphrase comes from.
#[derive(Args, Debug)]
pub struct NewPassphrase {
    /// Read the new passphrase from this file instead of asking; the last newline is dropped
    #[arg(long, value_name = "FILE")]
    pub new_passphrase_file: Option<PathBuf>,
}

/// A text for the other side.
#[derive(Args, Debug)]
pub struct Text {
    /// The text; without it, standard input is read to its end
    #[arg(allow_hyphen_values = true)]
    pub text: Option<String>,
}

/// What goes with a text.
#[derive(Args, Debug)]
pub struct With {
    /// A file that goes with the text: a photo (JPEG, PNG, WebP; all but its pixels is left out), or any file of at most 1 MiB
    #[arg(long, value_name = "FILE")]
    pub attach: Option<PathBuf>,
}

/// Where files go that came.
#[derive(Args, Debug)]
pub struct Folder {
    /// Write the files that the other side has sent into this folder; nothing there is overwritten
    #[arg(long, value_name = "DIR")]
    pub save: Option<PathBuf>,
}

/// Which conversation.
#[derive(Args, Debug)]
pub struct To {
    /// Which conversation, when this home has several; `status` lists them
    #[arg(long, value_name = "ID")]
    pub to: Option<String>,
}

/// In what language a request is written.
#[derive(Args, Debug)]
pub struct Language {
    /// The language of the text, two or three letters, so that a volunteer who reads it can take it [default: --lang, else the locale]
    #[arg(long, value_name = "LANGUAGE")]
    pub language: Option<String>,
}

/// What to do about a wrong clock.
#[derive(Args, Debug)]
pub struct ClockChoice {
    /// Go by the relays' time: when this machine's clock is wrong and can't be set
    #[arg(long)]
    pub believe_relays_clock: bool,
}

/// One command a line; a text of several words stands in quotation marks.
#[derive(Debug, Parser)]
#[command(name = "", no_binary_name = true, disable_version_flag = true, disable_help_flag = true)]
pub struct Line {
    /// Answers of `shell` have their form already.
    #[arg(long, global = true, hide = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definitions_hold_together() {
        CommandLine::command().debug_assert();
        Line::command().debug_assert();
    }

    #[test]
    fn options_of_the_run_stand_anywhere() {
        let words = ["poterne", "--home", "Q", "say", "hello", "--json", "--passphrase-file", "P"];
        let line = CommandLine::try_parse_from(words).unwrap();
        assert!(line.run.json);
        assert_eq!(line.run.home, Some("Q".into()));
        assert_eq!(line.run.passphrase_file, Some("P".into()));
    }

    #[test]
    fn a_text_may_begin_with_a_hyphen() {
        let line = Line::try_parse_from(["say", "- or -- or --so", "--json"]).unwrap();
        assert!(line.json);
        assert!(
            matches!(line.command, Command::Say { text, .. } if text.text.as_deref() == Some("- or -- or --so"))
        );
    }

    #[test]
    fn behind_two_hyphens_everything_is_text() {
        let line = Line::try_parse_from(["say", "--", "--json"]).unwrap();
        assert!(matches!(line.command, Command::Say { text, .. } if text.text.as_deref() == Some("--json")));
    }

    #[test]
    fn a_passphrase_is_never_a_word_of_the_line() {
        let words = ["poterne", "passphrase", "duress", "--burn", "--new-passphrase-file", "F"];
        assert!(CommandLine::try_parse_from(words).is_ok());
        assert!(CommandLine::try_parse_from(["poterne", "passphrase", "change", "secret words"]).is_err());
    }

    #[test]
    fn a_line_of_the_shell_names_no_home() {
        assert!(Line::try_parse_from(["status", "--home", "elsewhere"]).is_err());
        assert!(Line::try_parse_from(["wipe", "--yes"]).is_err());
    }
}
