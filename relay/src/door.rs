//! What the listener serves: requests go to the engine, counted and timed; channels open with the keys of the day.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use poterne_protocol::channel::RequestKeys;
use poterne_protocol::op::{Answer, Fetch, Request};
use poterne_transport::listen::{Event, Service, Source};
use tokio::sync::watch;

use crate::metrics::{Metrics, op_name};
use crate::today::Today;

/// What carries requests out. The relay's engine does; tests bring their own.
pub trait Handler: Send + Sync + 'static {
    /// Carries out what a connection asks for; a fetch that finds nothing waits as long as it says.
    fn handle(&self, source: Source, request: Request) -> impl Future<Output = Answer> + Send;
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
}

impl<H: Handler> Service for Door<H> {
    fn descriptor(&self) -> Arc<[u8]> {
        self.today.descriptor()
    }

    fn keys(&self) -> Arc<RequestKeys> {
        self.today.keys()
    }

    async fn call(&self, source: Source, request: Request) -> Answer {
        let (op, began) = (op_name(&request), Instant::now());
        let answer = self.handler.handle(source, request).await;
        self.metrics.answered(op, &answer, began.elapsed());
        answer
    }

    /// Looks for one envelope, which is not kept: what is answered is read when there is room for it. The wait ends when
    /// the relay drains.
    async fn news(&self, source: Source, fetch: &Fetch) -> Option<Answer> {
        let one = Request::Fetch(Fetch { max: 1, ..fetch.clone() });
        let mut draining = self.draining.clone();
        tokio::select! {
            answer = self.handler.handle(source, one) => Some(answer).filter(|answer| !matches!(answer, Answer::Fetched(_))),
            _ = draining.wait_for(|draining| *draining) => None,
        }
    }

    fn note(&self, event: Event) {
        self.metrics.note(event);
    }
}
