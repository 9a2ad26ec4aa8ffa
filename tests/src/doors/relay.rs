//! A relay in its own process, on a loopback port that stays the same over its restarts.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::binary;

/// How long a relay may take until it answers.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// A relay with a folder of its own.
pub struct Relay {
    folder: PathBuf,
    address: String,
    settings: Vec<(String, String)>,
    wrapper: Vec<String>,
    process: Option<Child>,
    log: Arc<Mutex<String>>,
}

impl Relay {
    /// Makes a relay in `folder` on a free port and starts it.
    pub fn start(folder: &Path) -> Self {
        let mut relay = Self::init_anywhere(folder);
        relay.run();
        relay
    }

    /// Makes a relay in `folder` on a free port, without starting it.
    pub fn init_anywhere(folder: &Path) -> Self {
        Self::init(folder, free_port())
    }

    /// Makes a relay in `folder`, without starting it.
    pub fn init(folder: &Path, port: u16) -> Self {
        let output = Command::new(binary("poterne-relay"))
            .args(["init", "--json", "--listen", &format!("127.0.0.1:{port}"), "--dir"])
            .arg(folder)
            .output()
            .expect("poterne-relay init runs");
        assert!(output.status.success(), "init failed: {}", String::from_utf8_lossy(&output.stderr));
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("init answers JSON");
        let address = answer["address"].as_str().expect("init tells the address").to_owned();
        Self {
            folder: folder.to_owned(),
            address,
            settings: Vec::new(),
            wrapper: Vec::new(),
            process: None,
            log: Arc::default(),
        }
    }

    /// From its next start on it runs with that setting (docs/operators/relay.md §3).
    pub fn set(&mut self, name: &str, value: impl ToString) -> &mut Self {
        self.settings.push((format!("POTERNE_RELAY_{}", name.to_uppercase()), value.to_string()));
        self
    }

    /// From its next start on it is started by these words, in front of its own. They must end as the relay itself.
    pub fn wrap_in<W: AsRef<str>>(&mut self, words: &[W]) -> &mut Self {
        self.wrapper = words.iter().map(|word| word.as_ref().to_owned()).collect();
        self
    }

    /// `poterne-relay://host:port#pin`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        let port = self.address.split(['#', ':']).nth(2).and_then(|port| port.parse().ok());
        port.expect("the address names a port of loopback")
    }

    /// The folder with its config and its data.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Everything that the relay has written to its log so far, over all its lives.
    pub fn log(&self) -> String {
        self.log.lock().expect("no reader of the log panics").clone()
    }

    /// SIGKILL, in the middle of whatever it does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("a child can be killed");
            process.wait().expect("a killed child ends");
        }
    }

    /// SIGTERM, and waits for the end.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        let mut process = self.process.take().expect("it runs");
        process.wait().expect("a child can be waited for")
    }

    /// SIGSTOP: it stands still, with all its connections.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let id = self.process_id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status().expect("kill runs");
        assert!(status.success(), "kill -s {name} failed");
    }

    /// The id of its process.
    pub fn process_id(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// Starts it again after [`Relay::kill`], and waits until it says that it is ready.
    pub fn run(&mut self) {
        let begin = self.log().len();
        self.launch();
        let deadline = Instant::now() + READY_WITHIN;
        while !self.log()[begin..].contains("ready") {
            assert!(Instant::now() < deadline, "the relay is not ready in time: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts it and waits for nothing.
    pub fn launch(&mut self) {
        let mut process = self.command().spawn().expect("poterne-relay run starts");
        let stderr = process.stderr.take().expect("stderr is piped");
        self.process = Some(process);
        let log = Arc::clone(&self.log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = log.lock().expect("no reader of the log panics");
                log.push_str(&line);
                log.push('\n');
            }
        });
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_none_or(|process| process.try_wait().is_ok_and(|ended| ended.is_some()))
    }

    /// Bytes of memory that it takes at most with its settings, beside those of what waits, as `config check` prints.
    pub fn memory_at_most(&self) -> u64 {
        let mut command = Command::new(binary("poterne-relay"));
        command.args(["config", "check", "--config"]).arg(self.folder.join("relay.toml"));
        let settings = self.settings.iter().map(|(name, value)| (name, value));
        let output = command.envs(settings).output().expect("poterne-relay config check runs");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let mib = told.split("Memory at most: ").nth(1).and_then(|rest| rest.split(' ').next());
        let mib: u64 = mib.and_then(|mib| mib.parse().ok()).expect("it tells the memory in MiB");
        mib << 20
    }

    /// What `run` says where it refuses to.
    pub fn refusal(&self) -> String {
        let output = self.command().output().expect("poterne-relay run runs");
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn command(&self) -> Command {
        let program = binary("poterne-relay").into_os_string();
        let mut words = self.wrapper.iter().map(OsString::from).chain([program]);
        let mut command = Command::new(words.next().expect("the program is one"));
        command.args(words).args(["run", "--config"]).arg(self.folder.join("relay.toml"));
        command
            .env("POTERNE_RELAY_LOG_LEVEL", "trace")
            .env("RUST_LOG", "trace")
            .env("POTERNE_RELAY_METRICS_PORT", "0")
            .env("POTERNE_RELAY_SEGMENT_MIB", "1")
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A UDP port of loopback that was free a moment ago.
fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
    socket.local_addr().expect("a bound socket has an address").port()
}
