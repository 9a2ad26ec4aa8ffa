//! The port and the kernel's bounds for UDP.

use std::io::ErrorKind;
use std::net::UdpSocket;

use poterne_transport::UDP_BUFFER_BYTES;

use super::Finding;
use crate::config::Config;
use crate::instance_lock::InstanceLock;

const RECEIVE_BOUND: &str = "/proc/sys/net/core/rmem_max";
const SEND_BOUND: &str = "/proc/sys/net/core/wmem_max";

pub(super) fn udp_buffers() -> Finding {
    let allowed = [RECEIVE_BOUND, SEND_BOUND].map(bound);
    judge_udp_buffers(allowed.into_iter().flatten().min())
}

fn bound(path: &str) -> Option<usize> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn judge_udp_buffers(allowed: Option<usize>) -> Finding {
    match allowed {
        Some(bytes) if bytes < UDP_BUFFER_BYTES => {
            let says = format!(
                "The kernel allows {bytes} bytes, and packets are lost under load. \
                 Run `sysctl -w net.core.rmem_max={UDP_BUFFER_BYTES} net.core.wmem_max={UDP_BUFFER_BYTES}`."
            );
            Finding::warning("udp buffers", says)
        }
        Some(_) => Finding::ok("udp buffers", "The kernel allows what the relay asks for."),
        None => Finding::ok("udp buffers", "The kernel does not tell its bounds."),
    }
}

/// Free, or held by this relay itself.
pub(super) fn port(config: &Config) -> Finding {
    let listen = config.listen;
    match UdpSocket::bind(listen) {
        Ok(_) => Finding::ok("port", format!("{listen} is free.")),
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_running(config) => {
            Finding::ok("port", format!("{listen} is taken by this relay, which runs."))
        }
        Err(error) if error.kind() == ErrorKind::AddrInUse => Finding::problem(
            "port",
            format!("{listen} is taken. End what uses it, or set listen to another port."),
        ),
        Err(error) => {
            let says =
                format!("{listen} can't be listened on ({error}). Set listen to an address of this machine.");
            Finding::problem("port", says)
        }
    }
}

fn is_running(config: &Config) -> bool {
    config.data_dir.is_dir() && InstanceLock::take(&config.data_dir).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    fn config(folder: &tempfile::TempDir, socket: &UdpSocket) -> Config {
        let listen = socket.local_addr().unwrap();
        Config { data_dir: folder.path().to_owned(), listen, ..Config::default() }
    }

    #[test]
    fn a_port_of_another_program_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(port(&config(&folder, &socket)).level, Level::Problem);
    }

    #[test]
    fn the_port_of_the_running_relay_is_fine() {
        let folder = tempfile::tempdir().unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let _running = InstanceLock::take(folder.path()).unwrap();
        assert_eq!(port(&config(&folder, &socket)).level, Level::Ok);
    }

    #[test]
    fn small_buffers_are_a_warning_with_the_command_to_run() {
        let finding = judge_udp_buffers(Some(212_992));
        assert_eq!(finding.level, Level::Warning);
        assert!(finding.says.contains("net.core.rmem_max=4194304"), "{}", finding.says);
        assert_eq!(judge_udp_buffers(Some(8 << 20)).level, Level::Ok);
    }
}
