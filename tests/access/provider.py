"""An issuer of tokens on a port of its own: discovery, keys, an authorization endpoint that lets everybody in, a token
endpoint that holds to PKCE."""

from __future__ import annotations

import base64
import json
import threading
import time
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey


class Provider:
    """A running issuer. Use it as a context manager."""

    def __init__(self) -> None:
        self.keys = [RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"}), ECKey.generate_key("P-256", {"kid": "k2"})]
        self.claims: dict[str, Any] = {"sub": "u-1", "email": "eve@acme.example", "email_verified": True}
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []
        self.fails = False
        self.nonce: str | None = None  # in place of what was asked
        self.issuer_says = ""  # in place of its own name
        self.secret = "client-secret-canary"

    def __enter__(self) -> Provider:
        provider = self

        class Served(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.get(self)

            def do_POST(self) -> None:
                provider.post(self)

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Served)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def settings(self, **more: Any) -> dict[str, Any]:
        """How it is configured."""
        usual = {"issuer": self.url, "audience": ["dragoman"], "allow_private": True, "organisation": "acme"}
        return usual | more

    @property
    def key_set(self) -> dict[str, Any]:
        """What it publishes."""
        return KeySet(self.keys).as_dict(private=False)

    def token(self, key: Any = None, *, head: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token, good where nothing else is said."""
        key = key or self.keys[0]
        algorithm = "ES256" if isinstance(key, ECKey) else "RS256"
        now = int(time.time())
        usual = {"iss": self.url, "aud": "dragoman", "iat": now, "exp": now + 600} | self.claims
        told = {name: value for name, value in (usual | claims).items() if value is not None}
        return jwt.encode({"alg": algorithm, "kid": key.kid} | (head or {}), told, key)

    def get(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a GET."""
        parts = urlsplit(request.path)
        self.asked.append(parts.path)
        if self.fails:
            answer(request, 500, {})
        elif parts.path == "/.well-known/openid-configuration":
            document = {
                "issuer": self.issuer_says or self.url,
                "jwks_uri": f"{self.url}/jwks",
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
            }
            answer(request, 200, document)
        elif parts.path == "/jwks":
            answer(request, 200, self.key_set)
        elif parts.path == "/authorize":
            asked = dict(parse_qsl(parts.query))
            code = f"code-{len(self.codes)}"
            self.codes[code] = asked
            request.send_response(302)
            query = urlencode({"code": code, "state": asked["state"]})
            request.send_header("location", f"{asked['redirect_uri']}?{query}")
            request.send_header("content-length", "0")
            request.end_headers()
        else:
            answer(request, 404, {})

    def post(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a POST to the token endpoint."""
        form = dict(parse_qsl(request.rfile.read(int(request.headers["content-length"])).decode()))
        begun = self.codes.pop(form.get("code", ""), None)
        challenge = (
            base64.urlsafe_b64encode(sha256(form.get("code_verifier", "").encode()).digest()).decode().rstrip("=")
        )
        basic = request.headers.get("authorization", "")
        expected = "Basic " + base64.b64encode(f"dragoman-ui:{self.secret}".encode()).decode()
        good = begun is not None and challenge == begun["code_challenge"] and basic == expected
        if not good or begun is None or form["redirect_uri"] != begun["redirect_uri"]:
            answer(request, 400, {"error": "invalid_grant"})
            return
        nonce = begun["nonce"] if self.nonce is None else self.nonce
        answer(request, 200, {"id_token": self.token(aud="dragoman-ui", nonce=nonce), "token_type": "Bearer"})


def answer(request: BaseHTTPRequestHandler, status: int, body: dict[str, Any]) -> None:
    """JSON."""
    raw = json.dumps(body).encode()
    request.send_response(status)
    request.send_header("content-type", "application/json")
    request.send_header("content-length", str(len(raw)))
    request.end_headers()
    request.wfile.write(raw)
