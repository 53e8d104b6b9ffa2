"""The official OpenAI SDK for Python as a client: errors, timeouts, retries, leaving, and knobs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam
from tests.gateway.stage import ALWAYS_HEADERS, LONGEST_BODY, Stage, error_of

ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello there."}]
ONCE = {"x-dragoman-retries": "0"}


@pytest.fixture
def client(stage: Stage) -> Iterator[OpenAI]:
    with OpenAI(base_url=stage.base_url, api_key=stage.key, max_retries=0) as client:
        yield client


def caught(client: OpenAI, model: str, **fields: Any) -> openai.APIStatusError:
    """The error that a chat request ends in."""
    with pytest.raises(openai.APIStatusError) as found:
        client.chat.completions.create(model=model, messages=ASK, **({"extra_headers": ONCE} | fields))
    return found.value


# What the provider says of the request is the client's to read, word for word.
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (404, openai.NotFoundError),
        (413, openai.APIStatusError),
        (422, openai.UnprocessableEntityError),
    ],
)
def test_what_the_provider_says_of_the_request(
    stage: Stage, client: OpenAI, status: int, error: type[openai.APIStatusError]
) -> None:
    found = caught(client, f"up/status-{status}@words")
    assert isinstance(found, error)
    assert found.status_code == status
    assert found.body == error_of(status)
    assert (found.code, found.param) == (error_of(status)["code"], error_of(status)["param"])
    assert found.request_id is not None
    row = stage.row(found.request_id)
    assert (row["status"], row["error_code"], row["fault"]) == (status, "upstream_rejected", "client")
    assert row["attempts"] == 1
    assert found.response.headers["x-dragoman-deployment"] == f"up/status-{status}@words"
    assert found.response.headers["x-ratelimit-remaining-requests"] == "9"


# Whatever else the provider says is not of the request: the client learns whose fault it was.
@pytest.mark.parametrize(
    ("play", "error", "status", "code"),
    [
        ("status-401", openai.InternalServerError, 502, "upstream_auth"),
        ("status-403", openai.InternalServerError, 502, "upstream_auth"),
        ("status-408", openai.InternalServerError, 502, "upstream_status"),
        ("status-409", openai.InternalServerError, 502, "upstream_status"),
        ("status-429", openai.RateLimitError, 429, "rate_limit_exceeded"),
        ("quota", openai.RateLimitError, 429, "insufficient_quota"),
        ("status-500", openai.InternalServerError, 502, "upstream_status"),
        ("status-503", openai.InternalServerError, 502, "upstream_status"),
        ("html", openai.InternalServerError, 502, "upstream_status"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_what_is_the_provider_s_fault(
    stage: Stage,
    client: OpenAI,
    play: str,
    error: type[openai.APIStatusError],
    status: int,
    code: str,
    streamed: bool,
) -> None:
    found = caught(client, f"up/{play}@fault-{streamed}", stream=streamed)
    assert isinstance(found, error)
    assert (found.status_code, found.code) == (status, code)
    assert "<html>" not in found.response.text
    assert found.request_id is not None
    assert found.request_id == found.response.json()["error"]["request_id"]
    row = stage.row(found.request_id)
    assert (row["status"], row["error_code"], row["fault"]) == (status, code, "upstream")
    assert (row["usage_source"], row["stream"]) == ("none", streamed)


def test_errors_have_the_headers_that_every_answer_has(client: OpenAI) -> None:
    found = caught(client, "dear")
    assert [name for name in ALWAYS_HEADERS if not found.response.headers.get(name)] == []


def test_a_limited_provider_says_when_to_come_again(client: OpenAI) -> None:
    found = caught(client, "up/status-429@again")
    assert found.response.headers["retry-after-ms"] == "40"
    assert found.response.headers["retry-after"] == "1"


def test_no_key(stage: Stage) -> None:
    with OpenAI(base_url=stage.base_url, api_key="dgk_wrong", max_retries=0) as client:
        found = caught(client, "demo")
    assert isinstance(found, openai.AuthenticationError)
    assert (found.code, found.type) == ("invalid_api_key", "authentication_error")
    assert "dgk_wrong" not in found.response.text


def test_a_model_that_the_key_may_not_use(stage: Stage) -> None:
    with OpenAI(base_url=stage.base_url, api_key=stage.narrow_key, max_retries=0) as client:
        assert client.chat.completions.create(model="demo", messages=ASK).choices
        found = caught(client, "chain")
    assert isinstance(found, openai.PermissionDeniedError)
    assert (found.code, found.param) == ("model_not_allowed", "model")


def test_a_model_that_does_not_exist(client: OpenAI) -> None:
    found = caught(client, "nothing")
    assert isinstance(found, openai.NotFoundError)
    assert (found.code, found.param) == ("model_not_found", "model")


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"messages": []}, "missing_model", "model"),
        ({"model": 7, "messages": []}, "invalid_value", "model"),
        ({"model": "demo", "messages": [], "stream": "yes"}, "invalid_value", "stream"),
        ({"model": "demo", "messages": [], "max_tokens": -1}, "invalid_value", "max_tokens"),
    ],
)
def test_a_field_that_is_wrong(client: OpenAI, body: Any, code: str, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as found:
        client.post("/chat/completions", body=body, cast_to=object)
    assert (found.value.code, found.value.param) == (code, param)


def test_a_rejection_by_the_rehearsal_names_the_field(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as found:
        client.chat.completions.create(model="demo", messages=[])
    assert found.value.param == "messages"


def test_a_path_that_does_not_exist(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.get("/../v2/anything", cast_to=object)


def test_a_body_that_is_too_large(client: OpenAI) -> None:
    asked: Any = [{"role": "user", "content": "x" * LONGEST_BODY}]
    with pytest.raises(openai.APIStatusError) as found:
        client.chat.completions.create(model="demo", messages=asked)
    assert (found.value.status_code, found.value.code) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-dragoman-timeout", "soon"),
        ("x-dragoman-retries", "99"),
        ("x-portkey-metadata", "{"),
        ("x-dragoman-tags", "x" * 200),
    ],
)
def test_a_knob_that_cannot_be_read(client: OpenAI, name: str, value: str) -> None:
    found = caught(client, "demo", extra_headers={name: value})
    assert (found.status_code, found.code, found.param) == (400, "invalid_header", name)


def test_an_error_before_the_content_of_a_stream_has_its_own_status(client: OpenAI) -> None:
    found = caught(client, "up/early-error@status", stream=True)
    assert isinstance(found, openai.BadRequestError)
    assert (found.code, found.body) == (
        "context_length_exceeded",
        {"message": "Too long.", "type": "invalid_request_error", "param": None, "code": "context_length_exceeded"},
    )


@pytest.mark.parametrize(("play", "code"), [("late-error", "server_error"), ("reset", "upstream_cut")])
def test_an_error_in_the_midst_of_a_stream_is_raised_there(stage: Stage, client: OpenAI, play: str, code: str) -> None:
    said = []
    with client.chat.completions.create(model=f"up/{play}@midst", messages=ASK, stream=True) as stream:
        request_id = stream.response.headers["x-request-id"]
        with pytest.raises(openai.APIError) as found:
            for chunk in stream:
                said.append(chunk.choices[0].delta.content or "")
    assert "".join(said) == "Hel"
    assert found.value.code == code
    row = stage.row(request_id)
    assert (row["status"], row["error_code"], row["usage_source"]) == (200, code, "estimated")
    assert row["output_tokens"] > 0


# Timeouts.


def test_the_sdk_s_own_timeout_cancels_the_provider(stage: Stage, client: OpenAI) -> None:
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.6).chat.completions.create(model="up/stall@sdk", messages=ASK)
    (sent,) = stage.seen("stall@sdk")
    assert stage.closed(sent)


@pytest.mark.parametrize("headers", [{"x-dragoman-timeout": "0.3"}, {"x-portkey-request-timeout": "300"}])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_deadline_of_the_request(stage: Stage, client: OpenAI, headers: dict[str, str], streamed: bool) -> None:
    model = f"stall@{next(iter(headers))}-{streamed}"
    found = caught(client, f"up/{model}", stream=streamed, extra_headers=headers)
    assert (found.status_code, found.code) == (504, "deadline_exceeded")
    assert found.response.headers["x-should-retry"] == "false"
    (sent,) = stage.seen(model)
    assert stage.closed(sent)


def test_a_first_byte_that_does_not_come(stage: Stage, client: OpenAI) -> None:
    found = caught(client, "up/stall@first", extra_headers={"cf-aig-request-timeout": "200"} | ONCE)
    assert (found.status_code, found.code) == (504, "upstream_first_byte_timeout")


def test_a_deadline_in_the_midst_of_a_stream(client: OpenAI) -> None:
    fields: Any = {"extra_headers": {"x-dragoman-timeout": "0.5"}}
    stream = client.chat.completions.create(model="up/silent@deadline", messages=ASK, stream=True, **fields)
    with pytest.raises(openai.APIError) as found:
        list(stream)
    assert found.value.code == "deadline_exceeded"


# Retries: the gateway's and the SDK's do not multiply.


def test_the_gateway_s_retries_are_not_doubled(stage: Stage) -> None:
    with OpenAI(base_url=stage.base_url, api_key=stage.key, max_retries=2) as client:
        found = caught(client, "up/status-500@retried", extra_headers={"x-dragoman-retries": "1"})
    assert found.response.headers["x-should-retry"] == "false"
    assert found.response.headers["x-dragoman-attempts"] == str(len(stage.seen("status-500@retried")))
    assert len(stage.seen("status-500@retried")) == 2


def test_who_switches_the_gateway_s_retries_off_may_use_the_sdk_s(stage: Stage) -> None:
    with OpenAI(base_url=stage.base_url, api_key=stage.key, max_retries=1) as client:
        found = caught(client, "up/status-500@own", extra_headers=ONCE)
    assert "x-should-retry" not in found.response.headers
    assert len(stage.seen("status-500@own")) == 2


@pytest.mark.parametrize("play", ["status-400", "status-401"])
def test_what_will_not_pass_is_not_sent_again(stage: Stage, play: str) -> None:
    with OpenAI(base_url=stage.base_url, api_key=stage.key, max_retries=2) as client:
        caught(client, f"up/{play}@once", extra_headers={})
    assert len(stage.seen(f"{play}@once")) == 1


# Leaving.


def test_closing_a_stream_cancels_the_provider(stage: Stage, client: OpenAI) -> None:
    with client.chat.completions.create(model="up/drip@close", messages=ASK, stream=True) as stream:
        request_id = stream.response.headers["x-request-id"]
        said = [next(iter(stream)).choices[0].delta.content for _ in range(3)]
    assert len(said) == 3
    (sent,) = stage.seen("drip@close")
    assert stage.closed(sent)
    row = stage.row(request_id)
    assert (row["status"], row["error_code"], row["usage_source"]) == (499, "client_closed_request", "estimated")
    assert row["output_tokens"] > 0


def test_cancelling_a_task_cancels_the_provider(stage: Stage) -> None:
    async def leave() -> None:
        async with AsyncOpenAI(base_url=stage.base_url, api_key=stage.key, max_retries=0) as client:
            asking = asyncio.create_task(client.chat.completions.create(model="up/stall@task", messages=ASK))
            await asyncio.to_thread(stage.wait, lambda: stage.seen("stall@task"))
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking

    asyncio.run(leave())
    (sent,) = stage.seen("stall@task")
    assert stage.closed(sent)


# What one request may ask for.


def test_knobs_are_recorded_and_never_sent(stage: Stage, client: OpenAI) -> None:
    headers = {
        "x-dragoman-tags": "blue,green",
        "x-dragoman-metadata": json.dumps({"ticket": "T-1"}),
        "x-dragoman-end-user": "ann",
        "x-dragoman-trace-id": "trace-7",
        "Helicone-Property-Team": "search",
        "x-litellm-num-retries": "0",
        "X-Own": "kept from the provider as well",
    }
    raw = client.chat.completions.with_raw_response.create(
        model="up/answer@knobs", messages=ASK, extra_headers=headers, user="bob"
    )
    (sent,) = stage.seen("answer@knobs")
    row = stage.row(raw.headers["x-request-id"])
    assert (row["tags"], row["end_user"], row["trace_id"]) == ("blue,green", "ann", "trace-7")
    assert row["metadata"] == {"ticket": "T-1", "team": "search"}
    assert sent.json["user"] == "bob"
    assert [name for name in sent.headers if name.startswith(("x-", "helicone", "cf-"))] == []
    assert stage.key not in repr(sent.headers)


def test_the_end_user_of_the_body_counts(stage: Stage, client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="demo", messages=ASK, user="carol")
    assert stage.row(raw.headers["x-request-id"])["end_user"] == "carol"


def test_no_log_leaves_out_what_is_private(stage: Stage, client: OpenAI) -> None:
    headers = {"x-dragoman-no-log": "true", "x-dragoman-tags": "blue", "x-dragoman-end-user": "ann"}
    raw = client.chat.completions.with_raw_response.create(model="demo", messages=ASK, extra_headers=headers)
    row = stage.row(raw.headers["x-request-id"])
    assert (row["tags"], row["end_user"], row["metadata"]) == ("", "", {})
    assert row["output_tokens"] > 0


@pytest.mark.parametrize("place", ["headers", "body"])
def test_fallbacks_of_the_request(stage: Stage, client: OpenAI, place: str) -> None:
    model = f"status-503@named-{place}"
    named: dict[str, Any] = {"extra_headers": ONCE, "extra_body": {"fallbacks": ["demo"]}}
    if place == "headers":
        named = {"extra_headers": ONCE | {"x-dragoman-fallbacks": "demo"}}
    raw = client.chat.completions.with_raw_response.create(model=f"up/{model}", messages=ASK, **named)
    assert raw.headers["x-dragoman-provider"] == "rehearsal"
    assert raw.headers["x-dragoman-fallback-index"] == "1"
    (sent,) = stage.seen(model)
    assert "fallbacks" not in sent.json


def test_the_cost_in_the_answer(client: OpenAI) -> None:
    headers = {"x-dragoman-include-cost": "true"}
    options: Any = {"include_usage": True}
    whole = client.chat.completions.create(model="demo", messages=ASK, extra_headers=headers)
    *_, last = client.chat.completions.create(
        model="demo", messages=ASK, stream=True, stream_options=options, extra_headers=headers
    )
    assert whole.usage is not None
    assert last.usage is not None
    for usage in (whole.usage, last.usage):
        assert usage.model_dump()["cost"] == 0.0
        assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
