//! `poterne-relay run`: puts the parts together, serves, and drains (docs/spec/transport.md §6).

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use poterne_transport::ResetKey;
use poterne_transport::listen::{Limits, Listener};
use rand_core::UnwrapErr;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::Config;
use crate::door::Door;
use crate::engine::Engine;
use crate::metrics::{self, Metrics};
use crate::today::Today;
use crate::{clock, identity_file, private_file, store};

/// By it clients learn that the relay they spoke with was killed.
const RESET_KEY_FILE: &str = "reset-key";
/// All channels of a drain; an operator's stop promises ten seconds, and the store takes some of them.
const DRAIN_LIMIT: Duration = Duration::from_secs(7);

/// Serves until a signal, or the end of standard input where that is asked for, and drains.
pub async fn run(config: &Config, until_stdin_closes: bool) -> anyhow::Result<()> {
    let identity = identity_file::read(&config.identity_file)?;
    let mut rng = UnwrapErr(getrandom::SysRng);
    let path = config.store_dir();
    private_file::make_dir(&path).with_context(|| format!("making {}", path.display()))?;
    let (relay, tend) = store::start(&path, config.policy(), config.store()).with_context(|| {
        format!("The store in {} does not open. Run `poterne-relay doctor`", path.display())
    })?;
    let today = Arc::new(Today::begin(config, identity, clock::now(), &mut rng)?);
    let metrics = Arc::new(Metrics::default());
    let (drain, draining) = watch::channel(false);
    let engine = Engine::start(relay, tend);
    let door = Arc::new(Door::new(engine, today.clone(), metrics.clone(), draining.clone()));
    let reset_key = private_file::keep(&config.data_dir.join(RESET_KEY_FILE), &mut rng)
        .with_context(|| format!("keeping {RESET_KEY_FILE}"))?;
    let reset_key = ResetKey::from_bytes(&reset_key);
    let listener = Listener::bind(config.listen, limits(config), reset_key, door.clone(), draining)
        .map_err(|error| told(config.listen, &error))?;
    let mut tasks = JoinSet::new();
    tasks.spawn(today.keep());
    tasks.spawn(serve_metrics(config.metrics_port, metrics));
    tell_readiness(&listener)?;
    serve(listener, drain, until_stdin_closes).await?;
    door.handler().stop();
    tracing::info!("the relay has ended");
    Ok(())
}

async fn serve<S>(
    listener: Listener<Door<S>>,
    drain: watch::Sender<bool>,
    until_stdin_closes: bool,
) -> anyhow::Result<()>
where
    Door<S>: poterne_transport::listen::Service,
{
    let serving = tokio::spawn(listener.run());
    wait_for_end(until_stdin_closes).await?;
    tracing::info!("draining");
    drain.send_replace(true);
    match timeout(DRAIN_LIMIT, serving).await {
        Ok(served) => served.context("the listener has failed"),
        Err(_) => {
            tracing::warn!("some channels had not drained in time");
            Ok(())
        }
    }
}

/// What stands in the log and on stdout is for the operator, who knows the address.
fn tell_readiness<S>(listener: &Listener<Door<S>>) -> anyhow::Result<()>
where
    Door<S>: poterne_transport::listen::Service,
{
    let address = listener.local_address().context("the listening socket")?;
    // Whoever started us may have closed our stdout: the log tells it as well.
    writeln!(io::stdout(), "Listening on {address}").ok();
    tracing::info!("the relay is ready");
    Ok(())
}

fn told(listen: SocketAddr, error: &io::Error) -> anyhow::Error {
    let (what, then) = match error.kind() {
        io::ErrorKind::AddrInUse => {
            ("is taken".to_owned(), "End what uses it, or set listen to another port.")
        }
        io::ErrorKind::AddrNotAvailable => {
            ("is no address of this machine".to_owned(), "Set listen to one that is.")
        }
        io::ErrorKind::PermissionDenied => (
            "needs a privilege".to_owned(),
            "Set listen to a port above 1023, or grant CAP_NET_BIND_SERVICE.",
        ),
        _ => (format!("can't be listened on ({error})"), "Run `poterne-relay doctor`."),
    };
    anyhow!("The address {listen} {what}. {then}")
}

async fn serve_metrics(port: u16, metrics: Arc<Metrics>) {
    if port == 0 {
        return;
    }
    if let Err(error) = metrics::serve(port, metrics).await {
        tracing::warn!(port, %error, "no metrics: the port can't be listened on");
    }
}

async fn wait_for_end(until_stdin_closes: bool) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listening to signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening to signals")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = stdin_end(until_stdin_closes) => {}
    }
    Ok(())
}

/// A thread of its own: a blocked read would hold the runtime at its end.
async fn stdin_end(is_wanted: bool) {
    if !is_wanted {
        return std::future::pending().await;
    }
    let (sender, ended) = oneshot::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        while io::stdin().read(&mut buffer).is_ok_and(|count| count > 0) {}
        // Nobody waits any more where a signal came first.
        sender.send(()).ok();
    });
    ended.await.ok();
}

fn limits(config: &Config) -> Limits {
    Limits {
        answer_pages: config.answers_mib as usize * 256,
        channel_threads: config.channel_threads,
        channels_per_connection: config.channels_per_connection,
        channels_waiting: config.channels_waiting as usize,
        connections: config.connections as usize,
        connections_per_network: config.connections_per_network as usize,
        handshakes: config.handshakes as usize,
        idle: Duration::from_secs(u64::from(config.idle_secs)),
        request_kib: config.requests_mib as usize * 1024,
        requests_per_channel: usize::from(config.requests_per_channel),
    }
}
