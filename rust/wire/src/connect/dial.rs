//! Opening TCP connections: the addresses of a host raced as RFC 8305 ("Happy Eyeballs") has it.
//!
//! Families alternate, each address has a head start over the next, and one that fails hands over at once. A dead
//! family so costs a quarter of a second, not a timeout.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an address has before the next is tried beside it.
const HEAD_START: Duration = Duration::from_millis(250);
/// An idle connection is probed after this, so that a peer that vanished is noticed before the next request.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;

/// Opens a connection to the first of `addresses` that answers.
pub(super) async fn dial(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let stream = race(addresses, TcpStream::connect).await?;
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_PROBES);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    Ok(stream)
}

/// Connects to `addresses`, one after the other and side by side; when all fail, the preferred one's error stands.
async fn race<S, C, F>(addresses: &[SocketAddr], connect: C) -> io::Result<S>
where
    C: Fn(SocketAddr) -> F,
    F: Future<Output = io::Result<S>>,
{
    let mut waiting = alternate(addresses);
    let mut running = FuturesUnordered::new();
    let mut first_error = None;
    loop {
        if let Some(address) = waiting.pop_front() {
            running.push(connect(address));
        } else if running.is_empty() {
            return Err(first_error.unwrap_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable)));
        }
        let ended = match waiting.is_empty() {
            true => running.next().await,
            false => timeout(HEAD_START, running.next()).await.unwrap_or(None),
        };
        match ended {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(error)) => first_error = first_error.or(Some(error)),
            None => {}
        }
    }
}

/// The addresses with families in turn, beginning with the family of the first; each family keeps its order.
fn alternate(addresses: &[SocketAddr]) -> VecDeque<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (preferred, other): (Vec<SocketAddr>, Vec<_>) =
        addresses.iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut preferred, mut other) = (preferred.into_iter(), other.into_iter());
    let mut ordered = VecDeque::with_capacity(addresses.len());
    while ordered.len() < addresses.len() {
        ordered.extend(preferred.next());
        ordered.extend(other.next());
    }
    ordered
}

#[cfg(test)]
mod tests;
