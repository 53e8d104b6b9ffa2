"""Sessions over WebSockets: the vendors' SDKs, a gateway, and a provider that plays both protocols."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from google import genai
from google.genai import errors, types
from tests.gateway.gateway import SECRET, Gateway, free_port
from tests.realtime.provider import Sessions
from tests.realtime.talking import KEY, PATIENCE_S, configuration, opened, secured
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

CONTROLS: dict[str, Any] = {
    "templates": {"host": {"versions": {"1": {"messages": [{"role": "system", "text": "You host a show."}]}}}},
    "decorators": {"house": {"prepend": "Obey the house."}},
    "parameters": {"cheap": {"caps": {"max_tokens": 100}, "forbidden": ["tools"]}},
}


@pytest.fixture(scope="module")
def controlled(provider: Sessions, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = configuration(provider.base_url) | {"prompts": CONTROLS}
    with Gateway(config, tmp_path_factory.mktemp("controlled")) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(provider: Sessions, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with Gateway(configuration(provider.base_url), tmp_path_factory.mktemp("realtime")) as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(provider: Sessions) -> None:
    provider.frames.clear()
    provider.opened.clear()
    provider.closed.clear()
    provider.status, provider.script, provider.heard = 0, None, "Hi"


def keys(gateway: Gateway, *arguments: str) -> str:
    """What ``dragoman keys`` prints."""
    command = [sys.executable, "-m", "dragoman", "keys", *arguments, "--config", str(gateway.config_path)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE_S).stdout


def test_openai_s_sdk_talks(gateway: Gateway, provider: Sessions) -> None:
    before = len(gateway.rows(0))
    with (
        openai.OpenAI(base_url=gateway.base_url, api_key=KEY, max_retries=0) as client,
        client.realtime.connect(model="voice") as connection,
    ):
        assert connection.recv().type == "session.created"
        connection.response.create()
        events = [connection.recv() for _ in range(3)]
    said = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert said == ["Hel", "lo."]
    assert events[-1].type == "response.done"
    ((path, headers),) = provider.opened
    assert path == "/v1/realtime?model=gpt-realtime"
    assert headers["authorization"] == f"Bearer {SECRET}"
    assert KEY not in json.dumps(headers)
    turn, session = gateway.rows(before + 2)[-2:]
    assert (turn["endpoint"], turn["status"], turn["usage_source"]) == ("realtime", 200, "provider")
    assert (turn["input_tokens"], turn["output_tokens"], turn["cached_input_tokens"]) == (120, 60, 52)
    assert (turn["audio_input_tokens"], turn["audio_output_tokens"]) == (60, 48)
    assert json.loads(turn["metadata"])["realtime_session"] == session["request_id"]
    assert turn["cost_nanousd"] == (120 - 52) * 4000 + 52 * 1000 + 60 * 16000
    assert (session["status"], session["input_tokens"], session["finish_reason"]) == (200, 0, "")


def test_openai_s_sdk_talks_under_prompt_controls(controlled: Gateway, provider: Sessions) -> None:
    before = len(controlled.rows(0))
    tool: Any = {"type": "function", "name": "f"}
    call: Any = {"type": "realtime", "prompt": {"id": "host"}, "instructions": "Sing.", "max_output_tokens": "inf"}
    with (
        openai.OpenAI(base_url=controlled.base_url, api_key=KEY, max_retries=0) as client,
        client.realtime.connect(model="voice") as connection,
    ):
        assert connection.recv().type == "session.created"
        connection.session.update(session=call)
        assert connection.recv().type == "session.updated", "its own alone"
        connection.session.update(session={"type": "realtime", "tools": [tool]})
        refused: Any = connection.recv()
        assert (refused.type, refused.error.code) == ("error", "parameter_forbidden")
        connection.response.create(response={"instructions": "Shout.", "max_output_tokens": 7})
        assert [connection.recv() for _ in range(3)][-1].type == "response.done", "the session goes on"
    first, second, third = provider.frames
    assert first["session"] == {"type": "realtime", "instructions": "Obey the house.", "max_output_tokens": 100}
    said = "Obey the house.\n\nYou host a show.\n\nSing."
    assert second["session"] == {"type": "realtime", "instructions": said, "max_output_tokens": 100}
    assert third["response"] == {"instructions": "Obey the house.\n\nShout.", "max_output_tokens": 7}
    assert [row["prompt"] for row in controlled.rows(before + 2)[-2:]] == ["host@1", "host@1"]


def test_a_provider_that_does_not_take_the_controls_ends_the_session(provider: Sessions, tmp_path: Path) -> None:
    prompts = {"parameters": {"odd": {"forced": {"max_tokens": 13}}}}
    with (
        Gateway(configuration(provider.base_url) | {"prompts": prompts}, tmp_path) as running,
        opened(running) as session,
    ):
        seen = [json.loads(session.recv(PATIENCE_S)) for _ in range(2)]
        assert (seen[1]["type"], seen[1]["error"]["message"][-7:]) == ("error", "Not 13.")
        with pytest.raises(ConnectionClosed):
            session.recv(PATIENCE_S)


def test_what_was_heard_is_another_model_s(gateway: Gateway) -> None:
    before = len(gateway.rows(0))
    with opened(gateway) as session:
        session.recv(PATIENCE_S)
        session.send('{"type":"input_audio_buffer.commit"}')
        assert json.loads(session.recv(PATIENCE_S))["transcript"] == "Hi"
    turn, _ = gateway.rows(before + 2)[-2:]
    assert (turn["input_tokens"], turn["output_tokens"], turn["model"], turn["cost_nanousd"]) == (11, 2, "", None)


def talk_live(gateway: Gateway, config: Any = None) -> str:
    """What Gemini says to a greeting."""

    async def talk() -> str:
        trusted = {"ssl": context}  # the SDK opens no session without TLS
        options = types.HttpOptions(base_url=f"https://localhost:{port}", async_client_args=trusted)
        client = genai.Client(api_key=KEY, http_options=options)
        said = ""
        try:
            async with client.aio.live.connect(model="live", config=config) as session:
                await session.send_client_content(turns=types.Content(role="user", parts=[types.Part(text="Hi")]))
                async for message in session.receive():
                    said += message.text or ""
        finally:
            await client.aio.aclose()
            client.close()
        return said

    with secured(gateway.port) as (port, context):
        return asyncio.run(talk())


def test_google_s_sdk_talks_under_prompt_controls(controlled: Gateway, provider: Sessions) -> None:
    config: Any = {"system_instruction": "Sing.", "max_output_tokens": 500}
    assert talk_live(controlled, config) == "Hello."
    setup = provider.frames[0]["setup"]
    assert [part["text"] for part in setup["systemInstruction"]["parts"]] == ["Obey the house.", "Sing."]
    assert setup["generationConfig"]["maxOutputTokens"] == 100
    with pytest.raises(errors.APIError):
        talk_live(controlled, config | {"tools": [{"google_search": {}}]})
    assert len(provider.opened) == 1, "what is forbidden is not sent"


def test_google_s_sdk_talks(gateway: Gateway, provider: Sessions) -> None:
    before = len(gateway.rows(0))
    assert talk_live(gateway) == "Hello."
    ((path, headers),) = provider.opened
    assert path == "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
    assert headers["x-goog-api-key"] == SECRET
    assert provider.frames[0]["setup"]["model"] == "models/gemini-live-2.5-flash"
    turn, session = gateway.rows(before + 2)[-2:]
    assert (turn["endpoint"], turn["input_tokens"], turn["output_tokens"]) == ("live", 30, 7)
    assert (turn["audio_input_tokens"], turn["audio_output_tokens"], session["status"]) == (25, 7, 200)


def test_the_key_may_be_among_the_protocols(gateway: Gateway, provider: Sessions) -> None:
    offered = f"realtime, openai-insecure-api-key.{KEY}"
    with opened(gateway, key="", **{"Sec-WebSocket-Protocol": offered}) as session:
        assert json.loads(session.recv(PATIENCE_S))["type"] == "session.created"
    assert KEY not in json.dumps(provider.opened)


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("/v1/realtime?model=voice", "", 401),
        ("/v1/realtime?model=voice", "dgk_wrong", 401),
        ("/v1/realtime", KEY, 400),
        (f"/v1/realtime?model=voice&key={KEY}", "", 401),
        ("/v1/realtime?model=absent", KEY, 404),
        ("/v1/realtime?model=none", KEY, 400),
        ("/v1/elsewhere", KEY, 404),
        ("/v1/realtime?model=away/gpt-realtime", KEY, 502),
    ],
)
def test_what_is_not_opened_has_a_status(gateway: Gateway, path: str, key: str, status: int) -> None:
    with pytest.raises(InvalidStatus) as raised:
        opened(gateway, path, key)
    assert raised.value.response.status_code == status


@pytest.mark.parametrize(("told", "status"), [(401, 502), (429, 429), (503, 502)])
def test_a_provider_that_opens_nothing(gateway: Gateway, provider: Sessions, told: int, status: int) -> None:
    provider.status = told
    before = len(gateway.rows(0))
    with pytest.raises(InvalidStatus) as raised:
        opened(gateway)
    assert raised.value.response.status_code == status
    assert gateway.rows(before + 1)[-1]["status"] == status


def test_the_next_tier_is_asked(gateway: Gateway) -> None:
    before = len(gateway.rows(0))
    with opened(gateway, "/v1/realtime?model=spare") as session:
        assert json.loads(session.recv(PATIENCE_S))["type"] == "session.created"
    row = gateway.rows(before + 1)[-1]
    assert [one["outcome"] for one in json.loads(row["attempt_log"])] == ["upstream_unreachable", "ok"]


def test_a_provider_that_leaves_ends_it_at_the_client(gateway: Gateway) -> None:
    with opened(gateway) as session:
        session.recv(PATIENCE_S)
        session.send('{"type":"session.update"}')
        with pytest.raises(ConnectionClosed) as raised:
            session.recv(PATIENCE_S)
    assert raised.value.rcvd is not None


def test_a_client_that_leaves_ends_it_at_the_provider(gateway: Gateway, provider: Sessions) -> None:
    with opened(gateway) as session:
        session.recv(PATIENCE_S)
    until_s = time.monotonic() + PATIENCE_S
    while 1000 not in provider.closed and time.monotonic() < until_s:
        time.sleep(0.02)
    assert provider.closed[-1] == 1000


def test_a_large_frame_passes(gateway: Gateway, provider: Sessions) -> None:
    audio = "A" * (8 * 1024 * 1024)
    with opened(gateway) as session:
        session.recv(PATIENCE_S)
        session.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
        session.send('{"type":"response.create"}')
        assert "Hel" in str(session.recv(PATIENCE_S))
    assert len(provider.frames[0]["audio"]) == len(audio)


def test_a_first_frame_that_is_no_setup(gateway: Gateway) -> None:
    path = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
    with opened(gateway, f"{path}?key={KEY}", key="") as session:
        session.send('{"clientContent":{}}')
        for _ in range(2):  # Google's SDK swallows the first
            assert json.loads(session.recv(PATIENCE_S))["error"]["message"] == "The first frame is no setup message."
        session.send("{}")
        with pytest.raises(ConnectionClosed) as raised:
            session.recv(PATIENCE_S)
    assert raised.value.rcvd is not None


def once_known(gateway: Gateway, key: str) -> ClientConnection:
    """A session with a key that was made a moment ago."""
    until_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            return opened(gateway, key=key)
        except InvalidStatus:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.2)


def test_a_key_that_is_revoked_ends_its_session(gateway: Gateway) -> None:
    made = json.loads(keys(gateway, "create", "brief", "--json"))
    with once_known(gateway, made["secret"]) as session:
        session.recv(PATIENCE_S)
        keys(gateway, "revoke", "brief")
        seen = []
        with pytest.raises(ConnectionClosed) as raised:
            for _ in range(400):
                with contextlib.suppress(ConnectionClosed):
                    session.send('{"type":"response.create"}')
                for _ in range(3):
                    seen.append(json.loads(session.recv(PATIENCE_S)))  # one by one: what comes before the end counts
                time.sleep(0.05)
    assert (seen[-1]["type"], seen[-1]["error"]["message"]) == ("error", "The API key is not valid any more.")
    assert raised.value.rcvd is not None


def test_pages_of_other_sites_open_nothing_without_a_key(provider: Sessions, tmp_path: Any) -> None:
    config = configuration(provider.base_url) | {"keys": []}
    with Gateway(config, tmp_path) as gateway:
        with pytest.raises(InvalidStatus) as raised:
            opened(gateway, key="", Origin="https://elsewhere.example")
        assert raised.value.response.status_code == 403
        with opened(gateway, key="", Origin=f"http://127.0.0.1:{gateway.port}") as session:
            session.recv(PATIENCE_S)


def test_a_gateway_that_stops_says_so(provider: Sessions, tmp_path: Any) -> None:
    with Gateway(configuration(provider.base_url) | {"server": {"drain_s": 0.5}}, tmp_path) as gateway:
        with opened(gateway) as session:
            session.recv(PATIENCE_S)
            gateway.signal()
            assert json.loads(session.recv(PATIENCE_S))["error"]["message"] == "The gateway is shutting down."
            with pytest.raises(ConnectionClosed) as raised:
                session.recv(PATIENCE_S)
        assert raised.value.rcvd is not None


def test_x30_the_admin_listener_opens_no_session(provider: Sessions, tmp_path: Path) -> None:
    port = free_port()
    config = configuration(provider.base_url) | {"admin": {"enabled": True, "port": port}}
    with Gateway(config, tmp_path):
        for path in ("/v1/realtime?model=voice", "/admin/v1/keys"):
            with pytest.raises(InvalidStatus) as raised:
                connect(
                    f"ws://127.0.0.1:{port}{path}",
                    additional_headers={"Authorization": f"Bearer {KEY}"},
                    open_timeout=PATIENCE_S,
                )
            assert raised.value.response.status_code == 404
    assert provider.opened == []
