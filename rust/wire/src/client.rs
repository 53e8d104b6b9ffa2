//! One pooled HTTP client a deployment and credential.
//!
//! hyper-util's legacy client keeps the pool. It notices a pooled connection that the peer closed, and sends a request
//! again by itself only where no byte of it has left; everything else is told to the caller, who decides.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::PROXY_AUTHORIZATION;
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::ext::on_informational;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{sleep, timeout};

use crate::connect::{ConnectError, Connector, Options, Shared};
use crate::outcome::{Failure, Stage};

/// How many idle connections a deployment keeps, and for how long: shorter than the providers' own 60 s or more.
const IDLE_CONNECTIONS: usize = 256;
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);
/// Response heads over this size end the connection.
const HEAD_BYTES: usize = 64 * 1024;
/// Answers of 1xx that are passed over before the real one.
const MAX_INTERIM: u32 = 32;

/// What is sent.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A pool of connections to one deployment.
#[derive(Clone)]
pub struct Client {
    pool: legacy::Client<Connector, Full<Bytes>>,
    connector: Connector,
}

impl Client {
    /// A client whose connections follow `options`.
    ///
    /// # Errors
    /// When the extra roots or the proxy's address cannot be read.
    pub fn new(options: Options, shared: &Shared) -> Result<Self, ConnectError> {
        let connector = Connector::new(options, shared)?;
        let pool = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .http1_max_buf_size(HEAD_BYTES + 8 * 1024)
            .http2_max_header_list_size(HEAD_BYTES as u32)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .http2_adaptive_window(true)
            .retry_canceled_requests(true)
            .set_host(true)
            .build(connector.clone());
        Ok(Self { pool, connector })
    }

    /// Sends a request and waits for the head of the answer, so long once there is a connection. `connection` comes to
    /// know what it goes by.
    ///
    /// # Errors
    /// [`Failure::Unreachable`], [`Failure::Tls`], [`Failure::Refused`], [`Failure::Protocol`], or
    /// [`Failure::Timeout`] of the first byte.
    pub async fn send(
        &self,
        call: Call,
        first_byte: Duration,
        connection: &mut Connection,
    ) -> Result<Response<Incoming>, Failure> {
        let mut request = Request::new(Full::new(call.body));
        let authorization = self.connector.proxy_authorization(&call.uri);
        *request.method_mut() = call.method;
        *request.uri_mut() = call.uri;
        *request.headers_mut() = call.headers;
        if let Some(authorization) = authorization {
            request.headers_mut().insert(PROXY_AUTHORIZATION, authorization);
        }
        let interim = Arc::new(AtomicU32::new(0));
        let counted = interim.clone();
        on_informational(&mut request, move |_| _ = counted.fetch_add(1, Ordering::Relaxed));
        let captured = capture_connection(&mut request);
        connection.captured = Some(captured.clone());
        let response = tokio::select! {
            biased;
            response = self.pool.request(request) => response.map_err(|error| failure_of(&error))?,
            () = self.silence(captured, first_byte) => return Err(Failure::Timeout(Stage::FirstByte)),
        };
        if interim.load(Ordering::Relaxed) > MAX_INTERIM {
            return Err(Failure::Protocol(format!("over {MAX_INTERIM} interim answers")));
        }
        Ok(response)
    }

    /// Over when an answer is late: so long after there is a connection, which has a time of its own.
    async fn silence(&self, mut captured: CaptureConnection, first_byte: Duration) {
        // Without one it is the connector that fails; but a handshake may hang behind it.
        let _ = timeout(self.connector.connect_timeout(), async {
            drop(captured.wait_for_connection_metadata().await);
        })
        .await;
        sleep(first_byte).await;
    }
}

/// What a request went by.
#[derive(Debug, Default)]
pub struct Connection {
    captured: Option<CaptureConnection>,
}

impl Connection {
    /// Keeps the connection from being used again: what it has brought once it may bring twice.
    pub fn poison(&self) {
        let Some(captured) = &self.captured else { return };
        if let Some(connected) = captured.connection_metadata().as_ref() {
            connected.poison();
        }
    }
}

fn failure_of(error: &legacy::Error) -> Failure {
    if let Some(connect) = ConnectError::within(error) {
        let detail = connect.to_string();
        return match connect {
            ConnectError::Tls(_) | ConnectError::NotPinned(_) => Failure::Tls(detail),
            ConnectError::InvalidUri(_) | ConnectError::Address(_) => Failure::Refused(detail),
            _ => Failure::Unreachable { detail, sent: false },
        };
    }
    if let Some(hyper) = error.source().and_then(|source| source.downcast_ref::<hyper::Error>())
        && hyper.is_parse()
    {
        return Failure::Protocol(format!("the answer is not proper HTTP: {}", innermost(error)));
    }
    Failure::Unreachable { detail: innermost(error), sent: !error.is_connect() }
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut current = error;
    while let Some(source) = current.source() {
        current = source;
    }
    current.to_string()
}
