//! `poterne-relay init`: a folder with an identity key and a config, from which the relay can run.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use poterne_protocol::address::{AddressError, HostPort, RelayAddress};
use poterne_protocol::descriptor::RelayIdentity;
use rand_core::CryptoRng;

use crate::config::Config;
use crate::identity_file::{self, IdentityError};
use crate::private_file;

/// The names below the folder.
const CONFIG_FILE: &str = "relay.toml";

/// Why no relay was made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// `--public` is no host and port.
    #[error("The public address is not right: {0}. Give it as HOST:PORT.")]
    Address(AddressError),
    /// The folder holds a relay already.
    #[error("{0} holds a relay already. Run it, or choose another folder.")]
    Exists(PathBuf),
    /// The identity could not be written.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The relay listens on all addresses and does not know its name.
    #[error("A relay on all addresses needs the name that clients dial. Give it with --public HOST:PORT.")]
    NoPublic,
    /// The disk refuses.
    #[error("The relay's folder {path} can't be written ({error}). Choose one that you own.")]
    Storage {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// Makes a relay in `dir`; gives the address that clients are told.
pub fn init(
    dir: &Path,
    listen: SocketAddr,
    public: Option<&str>,
    rng: &mut impl CryptoRng,
) -> Result<RelayAddress, InitError> {
    let at = host_port(listen, public)?;
    let storage = |error| InitError::Storage { path: dir.to_owned(), error };
    private_file::make_dir(dir).map_err(storage)?;
    let config = dir.join(CONFIG_FILE);
    if config.try_exists().map_err(storage)? {
        return Err(InitError::Exists(dir.to_owned()));
    }
    let identity = make_identity(&dir.join(Config::default().identity_file), rng)?;
    // The config comes last: where it stands, the relay is whole.
    write_config(&config, listen, &at).map_err(storage)?;
    Ok(RelayAddress { at, pin: identity.pin() })
}

fn host_port(listen: SocketAddr, public: Option<&str>) -> Result<HostPort, InitError> {
    match public {
        Some(public) => public.parse().map_err(InitError::Address),
        None if listen.ip().is_unspecified() => Err(InitError::NoPublic),
        None => listen.to_string().parse().map_err(InitError::Address),
    }
}

/// A key that is there already, without a config, is what a broken start left: it is used.
fn make_identity(path: &Path, rng: &mut impl CryptoRng) -> Result<RelayIdentity, IdentityError> {
    if path.exists() {
        return identity_file::read(path);
    }
    let identity = RelayIdentity::generate(rng);
    identity_file::create(path, &identity)?;
    Ok(identity)
}

fn write_config(path: &Path, listen: SocketAddr, at: &HostPort) -> io::Result<()> {
    let text = Config::file(&[("listen", listen.to_string().into()), ("public", at.to_string().into())]);
    let draft = path.with_extension("toml.new");
    let mut file = fs::File::create(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(draft, path)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng as _;

    use super::*;
    use crate::config;

    fn init_in(dir: &Path, listen: &str, public: Option<&str>) -> Result<RelayAddress, InitError> {
        init(dir, listen.parse().unwrap(), public, &mut ChaCha20Rng::seed_from_u64(1))
    }

    #[test]
    fn what_init_makes_can_be_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let address = init_in(dir.path(), "127.0.0.1:4433", None).unwrap();
        assert!(address.to_string().starts_with("poterne-relay://127.0.0.1:4433#"));
        let config = config::load(&dir.path().join("relay.toml")).unwrap();
        assert_eq!(config.listen, "127.0.0.1:4433".parse().unwrap());
        assert_eq!(identity_file::read(&config.identity_file).unwrap().pin(), address.pin);
    }

    #[test]
    fn the_public_name_stands_in_the_address() {
        let dir = tempfile::tempdir().unwrap();
        let address = init_in(dir.path(), "[::]:443", Some("relay.example.org:443")).unwrap();
        assert_eq!(address.at.to_string(), "relay.example.org:443");
        assert!(matches!(init_in(dir.path(), "[::]:443", None), Err(InitError::NoPublic)));
    }

    #[test]
    fn a_second_init_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        init_in(dir.path(), "127.0.0.1:1", None).unwrap();
        let before = fs::read(dir.path().join("identity.key")).unwrap();
        assert!(matches!(init_in(dir.path(), "127.0.0.1:2", None), Err(InitError::Exists(_))));
        assert_eq!(fs::read(dir.path().join("identity.key")).unwrap(), before);
    }

    #[test]
    fn an_init_that_broke_off_is_finished_with_the_same_key() {
        let dir = tempfile::tempdir().unwrap();
        let first = init_in(dir.path(), "127.0.0.1:1", None).unwrap();
        fs::remove_file(dir.path().join("relay.toml")).unwrap();
        assert_eq!(init_in(dir.path(), "127.0.0.1:1", None).unwrap().pin, first.pin);
    }
}
