"""What ``dragoman serve`` prints first: what it will serve, and two things to try that work as pasted."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from dragoman.config.check import warnings
from dragoman.config.resolve import REHEARSAL
from dragoman.config.schema import Config
from dragoman.providers.catalogue import row

SHOWN_NAMES = 8


def welcome(config: Config, path: Path | None) -> str:
    """The text; the port is as configured, so with port 0 the snippets name none that works."""
    host = config.server.host if ":" not in config.server.host else f"[{config.server.host}]"
    host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104 - compared, not bound
    url = f"http://{host}:{config.server.port}/v1"
    key = "$DRAGOMAN_KEY" if config.keys else "none"
    model = _model(config)
    lines = [
        f"Dragoman serves {_served(config)} at {url} ({path or 'no configuration file'}).",
        *(f"warning: {text}" for text in warnings(config)),
        "",
        "Try it:",
        f"  curl {url}/chat/completions -H 'content-type: application/json' \\",
        f'    -H "authorization: Bearer {key}" \\',
        f'    -d \'{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}\'',
        "",
        "or with the OpenAI SDK:",
        *(["  import os"] if config.keys else []),
        "  from openai import OpenAI",
        f'  client = OpenAI(base_url="{url}", api_key={_sdk_key(config)})',
        '  messages = [{"role": "user", "content": "Hello"}]',
        f'  print(client.chat.completions.create(model="{model}", messages=messages).choices[0].message.content)',
        "",
    ]
    return "\n".join(lines)


def _served(config: Config) -> str:
    names = [*config.providers, *([REHEARSAL] if config.rehearsal.enabled else [])]
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(islice(names, SHOWN_NAMES)) + more


def _model(config: Config) -> str:
    """A name that a client may send: a route's alias, else a model of the first provider whose models are known."""
    if config.routes:
        return next(iter(config.routes))
    for name, provider in config.providers.items():
        kind = row(provider.kind)
        if kind is not None and kind.example:
            return f"{name}/{kind.example}"
    if config.deployments:
        return next(iter(config.deployments))
    if config.rehearsal.enabled:
        return f"{REHEARSAL}/rehearsal"
    return f"{next(iter(config.providers), 'provider')}/MODEL"


def _sdk_key(config: Config) -> str:
    return 'os.environ["DRAGOMAN_KEY"]' if config.keys else '"none"'
