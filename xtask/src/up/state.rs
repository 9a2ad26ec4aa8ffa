//! What the demo remembers: its port, the relay's address, the card, a passphrase.
//!
//! Invariant: demo.json is written after what it speaks of exists, so that a broken start is begun again.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::relay;

/// The passphrase of both demo homes, below the demo's folder.
pub(super) const PASSPHRASE_FILE: &str = "passphrase";
const MEMORY_FILE: &str = "demo.json";
const FIRST_PORT: u16 = 4433;
/// How many ports are tried before we say that something is odd.
const PORTS_TRIED: u16 = 100;

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Demo {
    pub(super) port: u16,
    pub(super) address: String,
    pub(super) card: Option<String>,
}

/// Forgets the demo.
pub(super) fn erase(dir: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("erasing {}", dir.display()))
        }
        _ => Ok(()),
    }
}

impl Demo {
    /// The remembered demo, or a new relay that no desk uses yet.
    pub(super) fn open(dir: &Path) -> anyhow::Result<Self> {
        if let Some(demo) = Self::remembered(dir)? {
            if !is_free(demo.port) {
                bail!(
                    "Port {} is taken, and the card of the demo names it. \
                     End what uses it, or begin anew with `cargo xtask up --fresh`.",
                    demo.port
                );
            }
            return Ok(demo);
        }
        erase(dir)?;
        fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
        write_passphrase(&dir.join(PASSPHRASE_FILE))?;
        let port = first_free_port()?;
        let demo = Self { port, address: relay::init(dir, port)?, card: None };
        demo.save(dir)?;
        Ok(demo)
    }

    fn remembered(dir: &Path) -> anyhow::Result<Option<Self>> {
        match fs::read_to_string(dir.join(MEMORY_FILE)) {
            Ok(text) => Ok(Self::parse(&text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context("reading the demo's state"),
        }
    }

    /// None where the text is not ours: the demo is then made anew.
    fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let port = u16::try_from(value["port"].as_u64()?).ok()?;
        let address = value["address"].as_str()?.to_owned();
        Some(Self { port, address, card: value["card"].as_str().map(str::to_owned) })
    }

    pub(super) fn save(&self, dir: &Path) -> anyhow::Result<()> {
        let text = json!({"port": self.port, "address": self.address, "card": self.card}).to_string();
        let (path, draft) = (dir.join(MEMORY_FILE), dir.join("demo.json.new"));
        fs::write(&draft, text).and_then(|()| fs::rename(&draft, &path)).context("writing the demo's state")
    }
}

fn write_passphrase(path: &Path) -> anyhow::Result<()> {
    let mut random = [0u8; 16];
    fs::File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut random))?;
    let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{text}").context("writing the demo's passphrase")
}

fn first_free_port() -> anyhow::Result<u16> {
    let mut ports = FIRST_PORT..FIRST_PORT + PORTS_TRIED;
    ports.find(|port| is_free(*port)).with_context(|| {
        let last = FIRST_PORT + PORTS_TRIED - 1;
        format!("All ports from {FIRST_PORT} to {last} are taken. End what uses one of them.")
    })
}

/// The relay listens by UDP, and later by TCP on the same number.
fn is_free(port: u16) -> bool {
    let address = (Ipv4Addr::LOCALHOST, port);
    UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_demo_is_remembered() {
        let dir = std::env::temp_dir().join(format!("poterne-xtask-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let demo =
            Demo { port: 4433, address: "poterne-relay://a:1#p".into(), card: Some("poterne:x".into()) };
        demo.save(&dir).unwrap();
        assert_eq!(Demo::remembered(&dir).unwrap(), Some(demo));
        erase(&dir).unwrap();
        assert_eq!(Demo::remembered(&dir).unwrap(), None);
    }

    #[test]
    fn a_state_that_is_not_ours_is_forgotten() {
        assert_eq!(Demo::parse("{"), None);
        assert_eq!(Demo::parse(r#"{"port": 70000, "address": "x"}"#), None);
    }

    #[test]
    fn a_port_that_is_listened_on_is_not_free() {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!is_free(socket.local_addr().unwrap().port()));
    }
}
