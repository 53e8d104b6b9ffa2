from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dragoman.config.schema import Rehearsal
from dragoman.core import TokenCounter
from dragoman.errors import ConfigError
from dragoman.rehearsal.recording import Recordings
from dragoman.rehearsal.stage import MODELS, Received, Stage


def texts(events: list[Any]) -> str:
    return "".join(event["choices"][0]["delta"].get("content") or "" for event in events[:-1] if event["choices"])


def body(plan: Any) -> bytes:
    return b"".join(step.data for step in plan.steps)


def test_the_same_request_plays_the_same(asking: Any) -> None:
    assert asking.plan() == asking.plan()
    assert asking.plan(stream=True) == asking.plan(stream=True)


def test_streamed_and_whole_say_the_same(asking: Any) -> None:
    whole = asking.json()["choices"][0]["message"]["content"]
    events = asking.events()
    assert texts(events) == whole
    assert events[-1] == "[DONE]"


@pytest.mark.parametrize("change", [{"model": "other"}, {"messages": [{"role": "user", "content": "x"}]}, {"seed": 5}])
def test_model_messages_and_seed_decide(asking: Any, change: dict[str, Any]) -> None:
    assert asking.json(**change)["choices"] != asking.json()["choices"]


def test_the_configured_seed_decides(asking_with: Callable[..., Any]) -> None:
    assert asking_with(seed=1).json()["choices"] != asking_with(seed=2).json()["choices"]
    assert asking_with(seed=1).json(rehearsal={"seed": 9})["choices"] != asking_with(seed=1).json()["choices"]


def test_usage_is_counted(asking: Any) -> None:
    fields = {"model": "gpt-4o", "messages": [{"role": "user", "content": "How are you?"}]}
    answer = asking.json(**fields)
    counter = TokenCounter.for_model("gpt-4o")
    counted = counter.count_request(json.dumps(fields).encode(), model="gpt-4o", endpoint="chat")
    assert answer["usage"]["prompt_tokens"] == counted.tokens > 5
    assert answer["usage"]["completion_tokens"] == counter.count(answer["choices"][0]["message"]["content"])
    assert answer["usage"]["total_tokens"] == sum(
        answer["usage"][part] for part in ("prompt_tokens", "completion_tokens")
    )


def test_one_token_a_chunk(asking: Any) -> None:
    events = asking.events(stream_options={"include_usage": True})
    assert events[-2]["usage"]["completion_tokens"] == len(events) - 4
    assert events[-2]["choices"] == []
    assert all(event["usage"] is None for event in events[:-2])


def test_usage_is_left_out_unless_asked(asking: Any) -> None:
    assert all("usage" not in event for event in asking.events()[:-1])
    assert all("usage" not in event for event in asking.events(stream_options={"include_usage": False})[:-1])
    assert "usage" not in asking.json(rehearsal={"usage": "missing"})


def test_stream_options_need_a_stream(asking: Any) -> None:
    plan = asking.plan(stream_options={"include_usage": True})
    assert plan.status == 400
    assert json.loads(body(plan))["error"]["param"] == "stream_options"


def test_thinking_and_caching_are_billed(asking: Any) -> None:
    plain = asking.json()["usage"]
    usage = asking.json(rehearsal={"reasoning_tokens": 30, "cached_tokens": 10_000})["usage"]
    assert usage["completion_tokens"] == plain["completion_tokens"] + 30
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 30
    assert usage["prompt_tokens_details"]["cached_tokens"] == usage["prompt_tokens"]


def test_the_pace_is_the_configured_one_or_the_requests(asking_with: Callable[..., Any]) -> None:
    asking = asking_with(time_to_first_token_s=0.4, tokens_per_s=100, script={"jitter": 0.0})
    plan = asking.plan(stream=True)
    assert plan.delay_s == 0.4
    assert [step.delay_s for step in plan.steps][:3] == [0.0, 0.01, 0.01]
    tokens = asking.json()["usage"]["completion_tokens"]
    assert asking.plan().delay_s == pytest.approx(0.4 + tokens / 100)
    fast = asking.plan(stream=True, rehearsal={"time_to_first_token_s": 0, "tokens_per_s": 1000})
    assert (fast.delay_s, fast.steps[1].delay_s) == (0.0, 0.001)


def test_the_header_is_overlaid_by_the_field(asking: Any) -> None:
    assert asking.json(header='{"text":"a"}')["choices"][0]["message"]["content"] == "a"
    assert asking.json(header='{"text":"a"}', rehearsal={"text": "b"})["choices"][0]["message"]["content"] == "b"
    plan = asking.plan(header="{nonsense")
    assert (plan.status, json.loads(body(plan))["error"]["param"]) == (400, "x-dragoman-rehearsal")


def test_a_configured_script_holds_for_every_request(asking_with: Callable[..., Any]) -> None:
    assert asking_with(script={"refuse": 503}).plan().status == 503
    assert asking_with(script={"refuse": 503}).plan(rehearsal={"refuse": None}).status == 200
    with pytest.raises(ConfigError, match="refuze"):
        Stage(Rehearsal(script={"refuze": 1}))


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/completions", "/v1/embeddings"])
def test_every_endpoint_refuses_and_names_wrong_fields(asking: Any, path: str) -> None:
    fields = {"prompt": "a"} if path == "/completions" else {"input": "a"}
    refused = asking.plan(path, rehearsal={"refuse": {"status": 429, "retry_after_s": 3}}, **fields)
    assert (refused.status, dict(refused.headers)["retry-after"]) == (429, "3")
    assert asking.plan(path, rehearsal={"nonsense": 1}, **fields).status == 400
    assert asking.plan(path, model=5, **fields).status == 400


def test_a_chance_picks_its_share_of_requests(asking: Any) -> None:
    def refused(number: int) -> bool:
        messages = [{"role": "user", "content": f"request {number}"}]
        return bool(asking.plan(messages=messages, rehearsal={"refuse": 500, "chance": 0.3}).status == 500)

    hits = [refused(number) for number in range(400)]
    assert 80 < sum(hits) < 160
    assert hits == [refused(number) for number in range(400)]


def test_faults_reach_the_plan(asking: Any) -> None:
    cut = asking.plan(stream=True, rehearsal={"cut": 3})
    assert (len(cut.steps), cut.closes) == (3, True)
    assert cut.announced == asking.plan(stream=True).size
    ended = asking.events(rehearsal={"cut": {"after_chunks": 4, "how": "end"}})
    assert "[DONE]" not in ended
    assert "error" in asking.events(rehearsal={"error": 2})[-1]
    assert asking.plan(rehearsal={"cut": 5}).announced == asking.plan().size


def test_completions_are_played(asking: Any) -> None:
    answer = asking.json("/v1/completions", prompt=["a", "b"], max_tokens=5)
    assert answer["object"] == "text_completion"
    assert len(answer["choices"]) == 2
    assert answer["usage"]["completion_tokens"] == 10
    events = asking.events("/v1/completions", prompt="a", stream_options={"include_usage": True})
    assert events[-1] == "[DONE]"
    assert events[-2]["usage"]["completion_tokens"] == 16


def test_embeddings_in_both_encodings(asking: Any) -> None:
    plain = asking.json("/v1/embeddings", input=["a", "b"])
    assert [row["index"] for row in plain["data"]] == [0, 1]
    assert len(plain["data"][0]["embedding"]) == 1536
    packed = asking.json("/v1/embeddings", input="a", encoding_format="base64", dimensions=4)
    assert len(b64decode(packed["data"][0]["embedding"])) == 16
    assert packed["usage"] == {"prompt_tokens": 1, "total_tokens": 1}
    assert asking.json("/v1/embeddings", input="a")["data"][0] == plain["data"][0]
    assert asking.json("/v1/embeddings", input="a", model="other")["data"][0] != plain["data"][0]
    assert len(asking.json("/v1/embeddings", input=[[1, 2], [3]])["data"]) == 2


def test_embeddings_are_limited(asking: Any) -> None:
    assert asking.plan("/v1/embeddings", input=["a"] * 2048, dimensions=16_384).status == 400
    assert asking.plan("/v1/embeddings", input="a", dimensions=0).status == 400
    assert asking.plan("/v1/embeddings", input="a", encoding_format="hex").status == 400


def test_models_are_listed(asking: Any) -> None:
    listed = json.loads(body(asking.stage.plan(Received("GET", "/v1/models"), 0.0)))
    assert [row["id"] for row in listed["data"]] == list(MODELS)
    one = json.loads(body(asking.stage.plan(Received("GET", "/models/rehearsal"), 0.0)))
    assert one == listed["data"][0]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/models/other", 404),
        ("GET", "/v1/chat/completions", 405),
        ("POST", "/v1/models", 405),
        ("GET", "/", 404),
    ],
)
def test_other_paths_and_methods_are_refused(asking: Any, method: str, path: str, status: int) -> None:
    plan = asking.stage.plan(Received(method, path), 0.0)
    assert plan.status == status
    assert "message" in json.loads(body(plan))["error"]


def test_recordings_are_replayed_or_missed(tmp_path: Path, asking: Any) -> None:
    path = tmp_path / "traffic.jsonl"
    response = {
        "status": 200,
        "headers": {},
        "content_type": "text/event-stream",
        "body": "data: 1\n\ndata: [DONE]\n\n",
    }
    path.write_text(json.dumps({"id": "r1", "request": {}, "response": response}) + "\n")
    stage = Stage(Rehearsal(), Recordings.load(path))

    def replay(id: str, **script: Any) -> Any:
        fields = {"model": "m", "messages": [], "rehearsal": {"replay": id, **script}}
        return stage.plan(Received("POST", "/v1/chat/completions", json.dumps(fields).encode()), 0.0)

    assert body(replay("r1")) == str(response["body"]).encode()
    assert body(replay("r1", cut=1)) == b"data: 1\n\n"
    assert replay("r2").status == 404
    assert asking.plan(rehearsal={"replay": "r1"}).status == 400
