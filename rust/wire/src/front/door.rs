//! Where a request is answered.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::answer::Lines;

/// An answer: its status, its fields and its body.
pub enum Answer {
    Whole(u16, Lines, Bytes),
    Stream(u16, Lines, UnboundedReceiver<Bytes>),
}

/// Where the pieces of a stream go. It ends when this is dropped.
pub type Pieces = UnboundedSender<Bytes>;

type Heard = Box<dyn FnOnce() + Send>;

/// The way back to the client of one request, for one answer.
pub struct Door {
    answer: Mutex<Option<oneshot::Sender<Answer>>>,
    is_left: AtomicBool,
    hearing: Mutex<Vec<Heard>>,
}

impl Door {
    pub(super) fn new() -> (Arc<Self>, oneshot::Receiver<Answer>) {
        let (sender, receiver) = oneshot::channel();
        let door = Self {
            answer: Mutex::new(Some(sender)),
            is_left: AtomicBool::new(false),
            hearing: Mutex::default(),
        };
        (Arc::new(door), receiver)
    }

    /// Answers as a whole. False: the client is gone, or has been answered.
    pub fn answer(&self, status: u16, lines: Lines, body: Bytes) -> bool {
        self.give(Answer::Whole(status, lines, body))
    }

    /// Begins to answer with a stream. `None`: the client is gone, or has been answered.
    pub fn stream(&self, status: u16, lines: Lines) -> Option<Pieces> {
        let (sender, receiver) = unbounded_channel();
        self.give(Answer::Stream(status, lines, receiver)).then_some(sender)
    }

    /// Nobody answers any more, if nobody has.
    pub fn shut(&self) {
        let unused = lock(&self.answer).take();
        drop(unused);
    }

    /// Whether the client has left.
    pub fn is_left(&self) -> bool {
        self.is_left.load(Ordering::Acquire)
    }

    /// Calls `heard` once the client leaves before it has its answer; at once where it has left.
    pub fn when_left(&self, heard: impl FnOnce() + Send + 'static) {
        let mut hearing = lock(&self.hearing);
        if self.is_left() {
            drop(hearing);
            return heard();
        }
        hearing.push(Box::new(heard));
    }

    /// The client has left.
    pub(super) fn leave(&self) {
        self.is_left.store(true, Ordering::Release);
        let hearing = std::mem::take(&mut *lock(&self.hearing));
        for heard in hearing {
            heard();
        }
    }

    fn give(&self, answer: Answer) -> bool {
        let sender = lock(&self.answer).take();
        sender.is_some_and(|sender| sender.send(answer).is_ok())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
