//! A stream that somebody else translates: cut into events here, handed over in batches, written by nobody here.
//!
//! All events that have come are one batch. The upstream is not read on while too many wait to be fetched, or while the
//! client takes too little of what was made of them.

use dragoman_core::frames::{Cut, Cutter, Framing};
use tokio::time::Instant;

use crate::attempt::{Body, Limits, decoder_of};
use crate::outcome::{Failure, Progress};
use crate::relay::{Heard, Upstream};

/// More events than these are not gathered before they are handed over.
const BURST_EVENTS: usize = 256;

/// Whoever translates.
pub trait Feed: Send {
    /// The answer's head has come: events follow.
    fn open(&mut self, progress: &Progress);
    /// Takes events; none are a sign that the upstream is silent.
    fn give(&mut self, cut: Cut);
    /// Waits until most of what was given has been fetched, and the client has taken most of what was sent.
    /// `false`: it does not.
    fn fetched(&mut self) -> impl Future<Output = bool> + Send;
}

/// Follows a stream of events to the end of its body.
pub(crate) async fn events(
    body: Body,
    limits: &Limits,
    (framing, keep_raw): (Framing, bool),
    progress: &mut Progress,
    feed: &mut impl Feed,
) -> Result<(), Failure> {
    let decoder = decoder_of(&progress.headers, usize::MAX)?;
    let mut cutter = Cutter::new(framing, limits.event_bytes, keep_raw);
    let mut upstream = Upstream { body, decoder, idle: limits.idle, heartbeat: limits.heartbeat };
    let mut silent_by = progress.started + limits.first_byte;
    let mut batch = Cut::default();
    feed.open(progress);
    loop {
        let data = match upstream.heard(silent_by).await {
            Heard::Quiet => {
                feed.give(Cut::default());
                continue;
            }
            heard => upstream.data(heard, progress),
        };
        if data.is_err() {
            hand_over(&mut batch, feed);
        }
        let Some(data) = data? else { continue };
        let Some(data) = data else { break };
        let cut = cutter.push(&data, &mut batch);
        // A burst comes in many frames: what is there already is handed over at once.
        if cut.is_ok() && batch.events.len() < BURST_EVENTS && upstream.body.is_ready().await {
            continue;
        }
        if hand_over(&mut batch, feed) {
            silent_by = Instant::now() + limits.idle;
        }
        // What came before a fault is handed over first, however the network had cut it.
        cut.map_err(Failure::Protocol)?;
        if !feed.fetched().await {
            return Err(Failure::ClientGone("the client did not read for too long"));
        }
    }
    let cut = cutter.finish(&mut batch);
    hand_over(&mut batch, feed);
    cut.map_err(Failure::Cut)
}

/// Gives what has come, if it is any event.
fn hand_over(batch: &mut Cut, feed: &mut impl Feed) -> bool {
    let any = !batch.events.is_empty();
    if any {
        feed.give(std::mem::take(batch));
    }
    any
}
