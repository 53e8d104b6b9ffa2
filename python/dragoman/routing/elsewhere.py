"""Asking services that are no providers: webhooks, guardrails of others."""

from __future__ import annotations

import hmac
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from dragoman.core import Reply, Terms
from dragoman.routing.apart import Nobody

if TYPE_CHECKING:
    from dragoman._core import _Connecting
    from dragoman.core import Outcome, Target, Upstream

MOST_ANSWER_BYTES = 1024 * 1024


class Place(NamedTuple):
    """A URL: where to connect, and what to ask for there."""

    base_url: str
    path: str


def place_of(url: str) -> Place:
    """The parts of a URL."""
    parts = urlsplit(url)
    return Place(f"{parts.scheme}://{parts.netloc}", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def target_of(upstream: Upstream, base_url: str, headers: list[tuple[str, str]], *, private: bool) -> Target:
    """What is sent through.

    :param private: it may be a loopback, private or link-local address.
    """
    options: _Connecting = {
        "connect_timeout_s": 3.0,
        "allow_private": private,
        "http2": False,
        "proxy": "",
        "ca_pem": None,
        "pins": [],
    }
    return upstream.target(base_url, headers, options)


async def post(target: Target, path: str, body: bytes, headers: list[tuple[str, str]], timeout_s: float) -> Outcome:
    """Send JSON; what has come of it."""
    return await _ask(target, "POST", (path, body, headers), timeout_s)


async def get(target: Target, path: str, timeout_s: float) -> Outcome:
    """Fetch JSON; what has come of it."""
    return await _ask(target, "GET", (path, b"", []), timeout_s)


async def _ask(
    target: Target, method: str, parcel: tuple[str, bytes, list[tuple[str, str]]], timeout_s: float
) -> Outcome:
    path, body, headers = parcel
    nobody: Any = Nobody()
    times = (timeout_s, timeout_s, timeout_s, timeout_s)
    terms = Terms("json", method, [], times, (MOST_ANSWER_BYTES, MOST_ANSWER_BYTES), True)  # noqa: FBT003
    outcome: Outcome = await target.send(Reply(nobody, ""), path, body, headers, terms)
    return outcome


def signed(secret: str, body: bytes) -> list[tuple[str, str]]:
    """``x-dragoman-signature: t=<unix seconds>,v1=<hex>``, the HMAC-SHA256 of ``<t>.<body>``; no secret, no header."""
    if not secret:
        return []
    now = str(int(time.time()))
    signature = hmac.digest(secret.encode(), now.encode() + b"." + body, "sha256").hex()
    return [("x-dragoman-signature", f"t={now},v1={signature}")]
