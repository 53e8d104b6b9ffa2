from __future__ import annotations

import json
from pathlib import Path as File

import pytest
from tests.dialects.tasks.samples import VECTORS
from tests.dialects.tasks.test_table import ABOUT
from tests.dialects.tasks.traffic import calls, round_trip

from dragoman.dialects.dialect import Path, Target
from dragoman.dialects.fields import Unreadable
from dragoman.dialects.losses import Losses
from dragoman.dialects.tasks.gemini_embed import read_answer, read_request, write_answer, write_request
from dragoman.dialects.tasks.task import Picture, Vectors

SINGLE = Path(model="m", action="embedContent")


@pytest.mark.recorded
def test_recorded(recorded: File) -> None:
    for call in calls(recorded, ":batchEmbedContents"):
        asked, told, sent, written = round_trip(call, "gemini_embed")
        for request in sent["requests"]:
            request["content"].pop("role", None)
        assert written == sent
        assert len(told.floats) == len(asked.inputs)


def test_one_is_asked_for_and_answered_alone() -> None:
    parts = [{"text": "a"}, {"text": "b"}]
    body = {"content": {"parts": parts}, "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 3}
    asked = read_request(json.dumps(body).encode(), SINGLE)
    assert (asked.inputs, asked.purpose, asked.dimensions, asked.single) == (("a\nb",), "query", 3, True)
    told = json.loads(write_answer(Vectors(model="m", floats=(VECTORS[0],)), asked, ABOUT))
    assert told["embedding"] == {"values": VECTORS[0]}
    assert read_answer(json.dumps(told).encode(), asked, Target(model="m")).floats == (VECTORS[0],)
    outgoing = write_request(asked, Target(model="models/theirs"), Losses())
    assert outgoing.path == "/models/theirs:batchEmbedContents"
    (request,) = json.loads(outgoing.body)["requests"]
    assert (request["model"], request["outputDimensionality"]) == ("models/theirs", 3)


def test_an_image() -> None:
    body = {"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}}
    asked = read_request(json.dumps(body).encode(), SINGLE)
    assert asked.inputs == (Picture("image/png", "AAAA"),)
    (request,) = json.loads(write_request(asked, Target(model="m"), Losses()).body)["requests"]
    assert request["content"] == body["content"]


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({"requests": []}, "requests"),
        ({"requests": [{}]}, "requests[0].content"),
        ({"requests": [{"content": {"parts": []}}]}, "requests[0].content.parts"),
        (
            {"requests": [{"content": {"parts": [{"text": "a"}]}}, {"content": {}, "taskType": "CLUSTERING"}]},
            "requests[1].taskType",
        ),
    ],
)
def test_what_is_wrong(body: dict[str, object], at: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_request(json.dumps(body).encode(), Path(model="m", action="batchEmbedContents"))
    assert caught.value.at == at
