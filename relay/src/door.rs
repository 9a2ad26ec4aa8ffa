//! What the listener serves: requests go to the engine, counted and timed; channels open with the keys of the day.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use poterne_protocol::channel::RequestKeys;
use poterne_protocol::op::{Answer, Fetch, Request};
use poterne_transport::listen::{Event, Service};
use tokio::sync::watch;

use crate::metrics::{Metrics, op_name};
use crate::today::Today;

/// What carries requests out. The relay's engine does; tests bring their own.
pub trait Handler: Send + Sync + 'static {
    /// Carries a request out; a fetch that finds nothing waits as long as it says.
    fn handle(&self, request: Request) -> impl Future<Output = Answer> + Send;
}

/// The relay as its clients meet it.
pub struct Door<H> {
    handler: H,
    today: Arc<Today>,
    metrics: Arc<Metrics>,
    draining: watch::Receiver<bool>,
}

impl<H: Handler> Door<H> {
    /// Joins the parts. Waits end when `draining` becomes true.
    pub fn new(
        handler: H,
        today: Arc<Today>,
        metrics: Arc<Metrics>,
        draining: watch::Receiver<bool>,
    ) -> Self {
        Self { handler, today, metrics, draining }
    }

    /// What carries requests out.
    pub fn handler(&self) -> &H {
        &self.handler
    }

    /// A fetch that would wait answers at once when the relay drains.
    async fn fetch(&self, fetch: Fetch) -> Answer {
        let at_once = Request::Fetch(Fetch { wait_secs: 0, ..fetch.clone() });
        let mut draining = self.draining.clone();
        tokio::select! {
            answer = self.handler.handle(Request::Fetch(fetch)) => return answer,
            _ = draining.wait_for(|draining| *draining) => {}
        }
        self.handler.handle(at_once).await
    }
}

impl<H: Handler> Service for Door<H> {
    fn descriptor(&self) -> Arc<[u8]> {
        self.today.descriptor()
    }

    fn keys(&self) -> Arc<RequestKeys> {
        self.today.keys()
    }

    async fn call(&self, request: Request) -> Answer {
        let (op, began) = (op_name(&request), Instant::now());
        let answer = match request {
            Request::Fetch(fetch) if fetch.wait_secs > 0 => self.fetch(fetch).await,
            request => self.handler.handle(request).await,
        };
        self.metrics.answered(op, &answer, began.elapsed());
        answer
    }

    fn note(&self, event: Event) {
        self.metrics.note(event);
    }
}
