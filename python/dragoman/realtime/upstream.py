"""The provider's end of a session."""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dragoman.errors import (
    RequestError,
    UpstreamAuth,
    UpstreamLimited,
    UpstreamProtocol,
    UpstreamStatus,
    UpstreamTimeout,
    UpstreamTls,
    UpstreamUnreachable,
)

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

    from dragoman.routing.plan import Door

LARGEST_FRAME = 64 * 1024 * 1024


async def connect(
    door: Door, url: str, headers: list[tuple[str, str]], provider: str, timeout_s: float
) -> ClientConnection:
    """Open a session at a provider.

    Raises:
        RequestError: it cannot be; says why.
    """
    from websockets.exceptions import InvalidStatus, WebSocketException

    from dragoman.realtime.opening import NotPinned, PinnedConnection, Straight

    proxy = _proxy(door.proxy, url)
    options: dict[str, Any] = {"proxy": proxy}
    if url.startswith("wss:"):
        options["ssl"] = trust = ssl.create_default_context()
        if door.ca_pem:
            trust.load_verify_locations(cadata=door.ca_pem.decode())
    if door.pins:
        options["create_connection"] = functools.partial(PinnedConnection, pins=door.pins)
    try:
        if proxy is None and not door.allow_private:  # behind a proxy, names are the proxy's to look up
            options |= await _public_address(url, provider)
        return await Straight(
            url,
            additional_headers=headers,
            open_timeout=timeout_s,
            max_size=LARGEST_FRAME,
            compression=None,
            user_agent_header="dragoman",
            **options,
        )
    except InvalidStatus as error:
        raise _refused(error.response.status_code, provider) from None
    except NotPinned as error:
        raise UpstreamTls(f"The connection to {provider} is not secure: {error}.") from None
    except TimeoutError:
        raise UpstreamTimeout(f"{provider} did not open the session in time.") from None
    except ssl.SSLError as error:
        raise UpstreamTls(f"{provider}: the handshake failed: {error.reason}.") from None
    except OSError:
        raise UpstreamUnreachable(f"{provider} cannot be reached.") from None
    except WebSocketException as error:
        raise UpstreamProtocol(f"{provider} does not open a WebSocket: {error}.") from None


def _proxy(named: str, url: str) -> str | None:
    """The proxy on the way to an address: the configuration's, or the environment's."""
    from websockets.proxy import get_proxy
    from websockets.uri import parse_uri

    return None if named == "none" else named or get_proxy(parse_uri(url))


async def _public_address(url: str, provider: str) -> dict[str, Any]:
    """The address to connect to: the one that was looked at, so that it cannot be another a moment later."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "wss" else 80)
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)
    addresses = [str(one[4][0]) for one in found]
    for address in addresses:
        if ipaddress.ip_address(address.partition("%")[0]).is_global:
            return {"host": address, "port": port}
    raise UpstreamUnreachable(f"{provider} is at a private address (providers.*.allow_private lets it be).")


def _refused(status: int, provider: str) -> RequestError:
    message = f"{provider} answered {status} instead of opening the session."
    if status in (401, 403):
        return UpstreamAuth(message)
    if status == 429:
        return UpstreamLimited(message)
    return UpstreamStatus(message)
