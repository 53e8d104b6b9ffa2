//! How many bytes a slow client has not taken yet.
//!
//! The server takes whatever it is given and queues it without bound, and says nothing about how much waits. The
//! kernel knows: `tcpi_bytes_acked` (linux/tcp.h) counts what the peer has acknowledged on a connection, so what was
//! written since some moment, less what was acknowledged since, is still under way. The server's socket is found among
//! the process's own by the address of its peer, once a response that has grown long.

use std::net::{Shutdown, SocketAddr};
use std::os::fd::{BorrowedFd, RawFd};

use socket2::SockRef;

/// Offset of `tcpi_bytes_acked` in `struct tcp_info`: eight bytes of flags, 24 words, two 64-bit rates.
const BYTES_ACKED: usize = 8 + 24 * 4 + 2 * 8;

/// The socket of one client's connection.
#[derive(Debug, Clone, Copy)]
pub struct ClientSocket {
    fd: RawFd,
    peer: SocketAddr,
}

impl ClientSocket {
    /// Finds the socket whose peer is `peer` among this process's descriptors.
    pub fn find(peer: SocketAddr) -> Option<Self> {
        let fds = std::fs::read_dir("/proc/self/fd").ok()?;
        fds.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .find(|fd| peer_of(*fd) == Some(peer))
            .map(|fd| Self { fd, peer })
    }

    /// Bytes the peer has acknowledged since the connection began. `None` once the connection is another's.
    pub fn bytes_acked(&self) -> Option<u64> {
        if peer_of(self.fd) != Some(self.peer) {
            return None;
        }
        let mut info = [0u8; 256];
        let mut length = info.len() as libc::socklen_t;
        // SAFETY: the buffer and its length are ours, and the kernel writes at most `length` bytes.
        let result = unsafe {
            libc::getsockopt(
                self.fd,
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                info.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        let field = info.get(BYTES_ACKED..BYTES_ACKED + 8)?;
        if result != 0 || (length as usize) < BYTES_ACKED + 8 {
            return None;
        }
        field.try_into().ok().map(u64::from_ne_bytes)
    }

    /// Ends the connection both ways, so that the server gives up its queue.
    pub fn shut_down(&self) {
        if peer_of(self.fd) == Some(self.peer) {
            // SAFETY: borrowed for this call alone; a descriptor that was closed meanwhile makes it fail, no more.
            let borrowed = unsafe { BorrowedFd::borrow_raw(self.fd) };
            // It fails where the connection is gone, which is what is wanted.
            let _ = SockRef::from(&borrowed).shutdown(Shutdown::Both);
        }
    }
}

fn peer_of(fd: RawFd) -> Option<SocketAddr> {
    // SAFETY: borrowed for this call alone; a descriptor that was closed meanwhile makes it fail, no more.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    SockRef::from(&borrowed).peer_addr().ok()?.as_socket()
}
