"""Sessions of Gemini Live under guardrails: Google's SDK, a gateway, and a provider that says what it is to say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from google import genai
from google.genai import errors, types
from tests.gateway.gateway import Gateway
from tests.realtime.provider import Sessions
from tests.realtime.talking import KEY, MAIL, OPEN, PATIENCE_S, opened, rows_of, say, secured
from websockets.exceptions import ConnectionClosed

pytestmark = pytest.mark.usefixtures("fresh")
LIVE = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
OVER = {"serverContent": {"turnComplete": True}, "usageMetadata": {"promptTokenCount": 3, "responseTokenCount": 2}}
Talk = Callable[[Any], Any]


def parts(*texts: str) -> list[Any]:
    return [{"serverContent": {"modelTurn": {"role": "model", "parts": [{"text": text}]}}} for text in texts]


def talk(guarded: Gateway, talking: Talk, modality: str = "TEXT", tag: str = "", key: str = KEY) -> None:
    """Have Google's SDK talk."""

    async def run(port: int, context: Any) -> None:
        options = types.HttpOptions(
            base_url=f"https://localhost:{port}",
            async_client_args={"ssl": context},
            headers={"x-dragoman-tags": tag},
        )
        client = genai.Client(api_key=key, http_options=options)
        config: Any = {"response_modalities": [modality]}
        try:
            async with client.aio.live.connect(model="live", config=config) as session:
                await asyncio.wait_for(talking(session), PATIENCE_S)
        finally:
            await client.aio.aclose()
            client.close()

    with secured(guarded.port) as (port, context):
        asyncio.run(run(port, context))


def content(text: str) -> types.Content:
    return types.Content(role="user", parts=[types.Part(text=text)])


async def heard(session: Any) -> list[Any]:
    return [one async for one in session.receive()]


def said_by(messages: list[Any]) -> str:
    return "".join(one.text or "" for one in messages)


def test_google_s_sdk_sees_its_own(guarded: Gateway, provider: Sessions) -> None:
    provider.script = lambda said: [*parts(*f"I wrote: {said}"), OVER]

    async def talking(session: Any) -> None:
        for text in (f"Mail {MAIL}", f"Again {MAIL}"):
            await session.send_client_content(turns=content(text))
            assert said_by(await heard(session)) == f"I wrote: {text}"
        await session.send_realtime_input(text=MAIL)
        assert said_by(await heard(session)) == f"I wrote: {MAIL}"

    talk(guarded, talking, tag="google")
    assert MAIL not in json.dumps(provider.frames)
    turn, *_ = rows_of(guarded, "google", 4)
    assert turn["guardrails"].split(", ")[:2] == ["pii=mask", "topics=allow"]


def test_google_s_sdk_is_told_of_what_is_refused(guarded: Gateway, provider: Sessions) -> None:
    provider.script = lambda said: [*parts(*said), OVER]

    async def talking(session: Any) -> None:
        await session.send_client_content(turns=content("plutonium"))
        with pytest.raises(errors.ClientError) as raised:
            await heard(session)
        assert "'topics'" in str(raised.value)
        await session.send_client_content(turns=content("Hi"))
        assert said_by(await heard(session)) == "Hi", "the session goes on"
        provider.script = lambda said: [*parts(*"It is plutonium, of course."), OVER]
        await session.send_client_content(turns=content("What is it?"))
        messages = await heard(session)
        assert said_by(messages) == ""
        end = messages[-1].server_content
        assert end.turn_complete
        assert end.turn_complete_reason.value == "GENERATED_CONTENT_PROHIBITED"

    talk(guarded, talking, tag="refusals")
    assert "plutonium" not in json.dumps(provider.frames)
    refused, _, turn, _ = rows_of(guarded, "refusals", 4)
    assert (refused["status"], refused["error_code"]) == (400, "guardrail_blocked")
    assert "topics=block" in turn["guardrails"]


def test_calls_of_tools_are_judged_and_refused_in_the_client_s_place(guarded: Gateway, provider: Sessions) -> None:
    def calls(said: str) -> list[Any]:
        results = provider.frames[-1].keys() & {"toolResponse", "tool_response"}  # the gateway's and the SDK's
        call = {"id": "c", "name": "mail", "args": {"to": said}}
        return [*parts("So be it."), OVER] if results else [{"toolCall": {"functionCalls": [call]}}]

    provider.script = calls

    async def talking(session: Any) -> None:
        await session.send_client_content(turns=content(MAIL))
        call = (await session._receive()).tool_call.function_calls[0]  # the SDK ends nothing at a call
        assert call.args == {"to": MAIL}
        result = types.FunctionResponse(id="c", name="mail", response={"was": MAIL})
        await session.send_tool_response(function_responses=result)
        assert said_by(await heard(session)) == "So be it."
        provider.script = lambda said: calls("plutonium")
        await session.send_client_content(turns=content("Hi"))
        messages = await heard(session)
        assert [one.tool_call for one in messages if one.tool_call] == []
        assert said_by(messages) == ""

    talk(guarded, talking)
    assert MAIL not in json.dumps(provider.frames)
    refused = provider.frames[-1]["toolResponse"]["functionResponses"][0]
    assert (refused["id"], refused["response"]) == ("c", {"error": "The call was refused."})


def test_a_setup_of_sound_is_refused_where_nothing_passes_unseen(guarded: Gateway, provider: Sessions) -> None:
    async def talking(session: Any) -> None:
        await session.send_client_content(turns=content("Hi"))
        with pytest.raises(errors.ClientError) as raised:
            await heard(session)
        assert "responseModalities" in str(raised.value)

    talk(guarded, talking, "AUDIO")
    assert provider.frames == []


def test_voices_are_judged_by_their_transcripts(guarded: Gateway, provider: Sessions) -> None:
    sound = {"inlineData": {"mimeType": "audio/pcm", "data": "AAAA"}}
    voice = {"serverContent": {"modelTurn": {"role": "model", "parts": [sound]}}}

    def says(*frames: dict[str, Any]) -> None:
        provider.script = lambda said: [*({"serverContent": frame} for frame in frames), voice, OVER]

    async def answer(session: Any) -> tuple[bytes, Any]:
        await session.send_realtime_input(audio=types.Blob(mime_type="audio/pcm", data=b"\0\0"))
        messages = await heard(session)
        return b"".join(one.data or b"" for one in messages), messages[-1].server_content.turn_complete_reason

    async def talking(session: Any) -> None:
        says({"inputTranscription": {"text": "Good day."}}, {"outputTranscription": {"text": "Hello."}})
        assert await answer(session) == (b"\0\0\0", None)
        says({"inputTranscription": {"text": "Sell me plu"}}, {"inputTranscription": {"text": "tonium."}})
        assert await answer(session) == (b"", types.TurnCompleteReason.GENERATED_CONTENT_PROHIBITED)
        says({"outputTranscription": {"text": "Have some plu"}}, {"outputTranscription": {"text": "tonium."}})
        assert await answer(session) == (b"", types.TurnCompleteReason.GENERATED_CONTENT_PROHIBITED)

    talk(guarded, talking, "AUDIO", "voices", OPEN)
    first, *others, _ = rows_of(guarded, "voices", 4)
    assert first["guardrails"] == "pii=not_scanned, lenient=not_scanned"
    assert [row["guardrails"] for row in others] == ["pii=not_scanned, lenient=block"] * 2


def test_a_setup_is_judged(guarded: Gateway, provider: Sessions) -> None:
    config = {"responseModalities": ["TEXT"]}
    for instruction in ("system_instruction", "systemInstruction"):
        with opened(guarded, f"{LIVE}?key={KEY}", key="") as session:
            said = {"model": "models/live", "generationConfig": config, instruction: {"parts": [{"text": "plutonium"}]}}
            say(session, {"setup": said})
            for _ in range(2):  # Google's SDK swallows the first
                assert "'topics'" in json.loads(session.recv(PATIENCE_S))["error"]["message"]
            session.send("{}")
            with pytest.raises(ConnectionClosed):
                session.recv(PATIENCE_S)
    assert provider.frames == []
