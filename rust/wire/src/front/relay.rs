//! Connections that are the server's behind: all of their bytes, both ways.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, sink};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Front;

/// How long the rest of what a client sends is read once it has been answered for good. Closing a socket with bytes
/// unread takes the answer back that the client has not read yet.
const LINGER: Duration = Duration::from_secs(1);

/// Relays a connection of which so much has been read.
pub(super) async fn relay<S>(front: &Front<S>, mut client: TcpStream, peer: SocketAddr, read: BytesMut) {
    let Ok(mut server) = TcpStream::connect(front.behind).await else { return };
    let Ok(seen) = server.local_addr() else { return };
    let _known = Known::new(front, seen, peer);
    if server.set_nodelay(true).is_err() || server.write_all(&read).await.is_err() {
        return;
    }
    drop(read);
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let up = async {
        // It may have been answered and closed before it has all.
        let _ = copy(&mut from_client, &mut to_server).await;
        let _ = to_server.shutdown().await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = copy(&mut from_server, &mut to_client) => {}
        () = up => {}
    }
    linger(client).await;
}

/// Closes a connection whose client may be sending still.
pub(super) async fn linger(mut client: TcpStream) {
    if client.shutdown().await.is_ok() {
        let mut rest = client.take(1 << 20);
        let _ = timeout(LINGER, copy(&mut rest, &mut sink())).await;
    }
}

/// A client's address, as long as its connection is relayed.
struct Known<'a, S> {
    front: &'a Front<S>,
    seen: SocketAddr,
}

impl<'a, S> Known<'a, S> {
    fn new(front: &'a Front<S>, seen: SocketAddr, peer: SocketAddr) -> Self {
        front.relayed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(seen, peer);
        Self { front, seen }
    }
}

impl<S> Drop for Known<'_, S> {
    fn drop(&mut self) {
        self.front.relayed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&self.seen);
    }
}
