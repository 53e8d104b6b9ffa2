//! The front: takes connections from clients, serves plain requests at once, and relays all others to the server behind.
//!
//! Most requests are alike: HTTP/1.1, a head that comes as a whole, a body of declared length. They need little of what
//! a web server can do, and a general one costs several times what the rest of such a request does. So they are read and
//! answered here. Whatever is not certainly one of them (HTTP/2, WebSockets, bodies in chunks, heads in pieces, heads
//! that are not in order) is relayed, byte for byte and with all that follows on its connection, to the server behind,
//! which alone says what is wrong with a request.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

pub use self::answer::Lines;
pub use self::asked::Head;
pub use self::door::{Answer, Door, Pieces};

mod answer;
mod asked;
mod connection;
mod door;
mod relay;

/// Where no connection can be taken, as there are no descriptors left.
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// Who answers plain requests.
pub trait Serves: Send + Sync + 'static {
    /// How long a body of that head may take to come. `None`: the request is not for here.
    fn admits(&self, head: &Head) -> Option<Patience>;

    /// Answers a request, at its door, now or later.
    fn serve(self: &Arc<Self>, came: Came);
}

/// A request that has come.
pub struct Came {
    pub head: Head,
    pub body: Result<Bytes, Trouble>,
    /// Its client.
    pub peer: SocketAddr,
    pub arrived: Instant,
    pub door: Arc<Door>,
}

/// Why a body has not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It took too long, or nobody waits for it any more.
    Late,
    /// The client hung up within it.
    Broken,
}

/// How long a body may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// At most, and at first.
    pub most: Duration,
    pub grace: Duration,
    /// What each byte that has come earns.
    pub a_byte: Duration,
}

impl Patience {
    fn until(&self, arrived: Instant, got: usize) -> Instant {
        let bytes = u32::try_from(got).unwrap_or(u32::MAX);
        arrived + self.most.min(self.grace.saturating_add(self.a_byte.saturating_mul(bytes)))
    }
}

/// What bounds connections.
#[derive(Debug, Clone)]
pub struct Bounds {
    pub connections: usize,
    /// How long one may be idle, or a head may take to come.
    pub idle: Duration,
    pub head_bytes: usize,
    /// Of all long bodies that are on their way together; what is more is relayed, and waits in the sockets.
    pub bodies_bytes: usize,
    /// How long a client may read nothing of an answer.
    pub write: Duration,
}

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Stage {
    Open,
    /// No connection is taken any more, and each ends with the request that it has.
    Closing,
    /// Bodies are not waited for any more.
    Stopping,
}

/// One listener and its connections.
pub struct Front<S> {
    serves: Arc<S>,
    bounds: Bounds,
    /// The server behind.
    behind: SocketAddr,
    /// Clients of relayed connections, by the address that the server behind sees.
    relayed: Mutex<HashMap<SocketAddr, SocketAddr>>,
    stage: watch::Sender<Stage>,
    connections: AtomicUsize,
    /// Bytes of long bodies that are on their way.
    coming: AtomicUsize,
}

impl<S: Serves> Front<S> {
    /// Takes connections from a listener until `close`.
    ///
    /// Errors: the listener cannot be used.
    pub fn start(
        runtime: &Handle,
        listener: TcpListener,
        serves: Arc<S>,
        bounds: Bounds,
        behind: SocketAddr,
    ) -> io::Result<Arc<Self>> {
        let _entered = runtime.enter();
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let front = Arc::new(Self {
            serves,
            bounds,
            behind,
            relayed: Mutex::default(),
            stage: watch::Sender::new(Stage::Open),
            connections: AtomicUsize::new(0),
            coming: AtomicUsize::new(0),
        });
        runtime.spawn(front.clone().take_all(listener));
        Ok(front)
    }

    async fn take_all(self: Arc<Self>, listener: tokio::net::TcpListener) {
        let room = Arc::new(Semaphore::new(self.bounds.connections));
        let mut stage = self.stage.subscribe();
        loop {
            let accepted = tokio::select! {
                accepted = accept(&listener, &room) => accepted,
                _ = stage.wait_for(|stage| *stage != Stage::Open) => return,
            };
            let Some((stream, peer, permit)) = accepted else {
                sleep(AGAIN_AFTER).await;
                continue;
            };
            let counted = Counted::new(self.clone());
            tokio::spawn(async move {
                connection::serve(&counted.front, stream, peer).await;
                drop(permit);
                drop(counted);
            });
        }
    }

    /// The client of a relayed connection, by the address that the server behind sees. `None`: it is not relayed.
    pub fn client_of(&self, seen: SocketAddr) -> Option<SocketAddr> {
        self.relayed().get(&seen).copied()
    }

    /// Connections that are open.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }

    /// Takes no connections any more, and ends those that there are, each with the request that it has.
    pub fn close(&self) {
        self.reach(Stage::Closing);
    }

    /// Waits for no bodies any more.
    pub fn stop(&self) {
        self.reach(Stage::Stopping);
    }

    fn reach(&self, stage: Stage) {
        self.stage.send_if_modified(|now| {
            let is_further = *now < stage;
            if is_further {
                *now = stage;
            }
            is_further
        });
    }

    fn relayed(&self) -> MutexGuard<'_, HashMap<SocketAddr, SocketAddr>> {
        self.relayed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Accepted = (tokio::net::TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit);

/// The next connection, once there is room for it.
async fn accept(listener: &tokio::net::TcpListener, room: &Arc<Semaphore>) -> Option<Accepted> {
    let permit = room.clone().acquire_owned().await.ok()?;
    let (stream, peer) = listener.accept().await.ok()?;
    stream.set_nodelay(true).ok()?;
    Some((stream, peer, permit))
}

/// A body up to this size is not long.
const SHORT_BODY_BYTES: usize = 64 * 1024;

/// Room for a body, until that has come.
struct Room<'a> {
    coming: &'a AtomicUsize,
    bytes: usize,
}

impl<S> Front<S> {
    /// Room for a body of that length. `None`: there is none.
    fn room(&self, length: usize) -> Option<Room<'_>> {
        let (coming, bytes) = (&self.coming, if length > SHORT_BODY_BYTES { length } else { 0 });
        let fits = |now: usize| now.checked_add(bytes).filter(|all| *all <= self.bounds.bodies_bytes);
        coming.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).ok()?;
        Some(Room { coming, bytes })
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.coming.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// A connection, while it is open.
struct Counted<S> {
    front: Arc<Front<S>>,
}

impl<S> Counted<S> {
    fn new(front: Arc<Front<S>>) -> Self {
        front.connections.fetch_add(1, Ordering::AcqRel);
        Self { front }
    }
}

impl<S> Drop for Counted<S> {
    fn drop(&mut self) {
        self.front.connections.fetch_sub(1, Ordering::AcqRel);
    }
}
