//! RabbitMQ in a folder of its own, with a port mapper of its own: the one that it would start by itself outlives it.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Running, free_port, peer};
use crate::build::{Programs, find_or_install};
use crate::certificate::Certificate;
use crate::process::Server;

const PROGRAM: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// Starts it in an empty folder.
pub(super) fn start(
    programs: &Programs,
    folder: &Path,
    certificate: &Certificate,
) -> anyhow::Result<Running> {
    find_or_install(&[PROGRAM], "rabbitmq-server")?;
    let (port, mapper_port) = (free_port()?, free_port()?);
    write_config(folder, port, certificate)?;
    let mut mapper = Command::new(find_or_install(&["epmd"], "erlang-base")?);
    mapper.args(["-address", "127.0.0.1", "-port", &mapper_port.to_string()]);
    let mut mapper = Server::start(&mut mapper, &folder.join("mapper-log"))?;
    mapper.await_port(mapper_port)?;
    let mut command = Command::new(PROGRAM);
    command.env("HOME", folder).env("RABBITMQ_NODENAME", "bench@localhost");
    command.env("ERL_EPMD_ADDRESS", "127.0.0.1").env("ERL_EPMD_PORT", mapper_port.to_string());
    command.env("RABBITMQ_DIST_PORT", free_port()?.to_string());
    // Without the shell that would wait in front of it.
    command.env("RUNNING_UNDER_SYSTEMD", "1");
    let paths = [
        ("RABBITMQ_CONFIG_FILE", "rabbitmq.conf"),
        ("RABBITMQ_CONF_ENV_FILE", "no-such-file"),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", "plugins"),
        ("RABBITMQ_GENERATED_CONFIG_DIR", "generated"),
        ("RABBITMQ_LOG_BASE", "log-files"),
        ("RABBITMQ_MNESIA_BASE", "data"),
        ("RABBITMQ_PID_FILE", "pid"),
    ];
    command.envs(paths.map(|(name, file)| (name, folder.join(file))));
    let log = folder.join("log");
    let mut server = Server::start(&mut command, &log)?.ending_by("TERM");
    let is_ready = |text: String| text.contains("Server startup complete");
    server.await_ready(|| fs::read_to_string(&log).is_ok_and(is_ready))?;
    let driver = peer(programs, "rabbitmq", port, certificate);
    Ok(Running { server, _beside: Some(mapper), driver, connections: [4, 4] })
}

fn write_config(folder: &Path, port: u16, certificate: &Certificate) -> anyhow::Result<()> {
    let (certificate, key) = (certificate.certificate.display(), certificate.key.display());
    let config = format!(
        "listeners.tcp = none\nlisteners.ssl.1 = 127.0.0.1:{port}\n\
         ssl_options.cacertfile = {certificate}\nssl_options.certfile = {certificate}\n\
         ssl_options.keyfile = {key}\nssl_options.versions.1 = tlsv1.3\nssl_options.verify = verify_none\n\
         log.file = false\nlog.console = true\nlog.console.level = info\n"
    );
    fs::write(folder.join("rabbitmq.conf"), config)?;
    fs::write(folder.join("plugins"), "[].")?;
    Ok(())
}
