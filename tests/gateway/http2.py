"""A provider that speaks HTTP/2, rightly or not: steps for ``Upstream``'s ``on_connect``.

``http2(...)`` takes over a connection and answers the requests on all connections, in the order in which they come,
with the behaviours given; the last one is used again. ``raw`` frames are for what the h2 library refuses to send.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Mapping

import trustme
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import RequestReceived, StreamEnded
from h2.settings import SettingCodes
from hyperframe.frame import ContinuationFrame, Frame, HeadersFrame, PingFrame, RstStreamFrame, SettingsFrame
from tests.gateway.upstream import Connection, Ended, Step, chat_answer, hold


class Peer:
    """One connection's state."""

    def __init__(self, connection: Connection, settings: Mapping[SettingCodes | int, int]) -> None:
        self.connection = connection
        self.state = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.state.local_settings.update(settings)
        self.state.initiate_connection()
        self.flush()

    def flush(self) -> None:
        """Sends what the library has to say."""
        if data := self.state.data_to_send():
            self.connection.send(data)

    def raw(self, frames: Iterable[Frame]) -> None:
        """Sends frames behind the library's back."""
        self.connection.send(b"".join(frame.serialize() for frame in frames))


Behaviour = Callable[[Peer, int], None]


def http2(
    *behaviours: Behaviour, settings: Mapping[SettingCodes | int, int] | None = None, at_headers: bool = False
) -> Step:
    """Serves HTTP/2. A behaviour is called when a request is complete, or ``at_headers`` when it begins."""
    called: list[int] = []

    def step(connection: Connection) -> None:
        peer = Peer(connection, settings or {})
        while True:
            for event in peer.state.receive_data(connection.receive()):
                wanted = RequestReceived if at_headers else StreamEnded
                if isinstance(event, wanted) and event.stream_id is not None:
                    behaviour = behaviours[min(len(called), len(behaviours) - 1)]
                    called.append(event.stream_id)
                    peer.flush()
                    behaviour(peer, event.stream_id)
            peer.flush()

    return step


def respond(peer: Peer, stream_id: int) -> None:
    """A whole chat completion."""
    body = chat_answer()
    headers = [(":status", "200"), ("content-type", "application/json"), ("content-length", str(len(body)))]
    peer.state.send_headers(stream_id, headers)
    peer.state.send_data(stream_id, body, end_stream=True)


def refuse(peer: Peer, stream_id: int) -> None:
    """The stream was not begun: it may safely be sent again."""
    peer.state.reset_stream(stream_id, ErrorCodes.REFUSED_STREAM)


def go_away_unserved(peer: Peer, stream_id: int) -> None:
    """Going away, and this stream with it."""
    peer.state.close_connection(last_stream_id=0)
    peer.flush()
    raise Ended


def go_away_served(peer: Peer, stream_id: int) -> None:
    """Going away, after this stream."""
    respond(peer, stream_id)
    peer.state.close_connection(last_stream_id=stream_id)
    peer.flush()
    hold(peer.connection)


def nothing(peer: Peer, stream_id: int) -> None:
    """No answer."""


def half(peer: Peer, stream_id: int) -> None:
    """The head and the beginning of a body, then a reset of the stream."""
    peer.state.send_headers(stream_id, [(":status", "200"), ("content-type", "application/json")])
    peer.state.send_data(stream_id, chat_answer()[:20])
    peer.state.reset_stream(stream_id, ErrorCodes.INTERNAL_ERROR)


def reset_flood(peer: Peer, stream_id: int) -> None:
    """Resets without end."""
    while True:
        peer.raw([RstStreamFrame(stream_id, error_code=8)] * 1000)


def settings_flood(peer: Peer, stream_id: int) -> None:
    """Settings without end, each to be acknowledged; the acknowledgements are not read."""
    while True:
        peer.raw([SettingsFrame(0, settings={SettingsFrame.MAX_CONCURRENT_STREAMS: 100})] * 1000)


def ping_flood(peer: Peer, stream_id: int) -> None:
    """Pings without end."""
    while True:
        peer.raw([PingFrame(0, opaque_data=b"12345678")] * 1000)


def continuation_flood(peer: Peer, stream_id: int) -> None:
    """A head that never ends."""
    literal = b"\x00\x05x-abc\x7f\x81\x7d" + b"a" * 508
    peer.raw([HeadersFrame(stream_id, data=b"\x88" + literal)])
    while True:
        peer.raw([ContinuationFrame(stream_id, data=literal * 8)] * 100)


def context_for(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """A server's TLS that offers nothing but HTTP/2."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    context.set_alpn_protocols(["h2"])
    return context
