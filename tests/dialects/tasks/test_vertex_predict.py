from __future__ import annotations

import json
from pathlib import Path as File

import pytest
from tests.dialects.tasks.samples import VECTORS
from tests.dialects.tasks.test_table import ABOUT
from tests.dialects.tasks.traffic import calls, round_trip

from dragoman.dialects.dialect import Path, Target
from dragoman.dialects.losses import Losses
from dragoman.dialects.tasks.task import Embed, Vectors
from dragoman.dialects.tasks.vertex_predict import read_request, write_answer, write_request


@pytest.mark.recorded
def test_recorded(recorded: File) -> None:
    for call in calls(recorded, ":predict"):
        asked, told, sent, written = round_trip(call, "vertex_predict")
        assert written == sent
        assert len(told.floats) == len(asked.inputs)
        assert told.usage.input == 4


def test_what_holds_for_all() -> None:
    body = {"instances": [{"content": "a"}], "parameters": {"outputDimensionality": 8, "autoTruncate": False}}
    asked = read_request(json.dumps(body).encode(), Path(model="m"))
    assert (asked.dimensions, asked.truncate) == (8, "none")
    losses = Losses()
    assert json.loads(write_request(asked, Target(model="m"), losses).body) == body
    write_request(Embed(model="m", inputs=("a",), truncate="start"), Target(model="m"), losses)
    assert losses.header() == "truncate"


def test_tokens_are_told_of_one_text() -> None:
    asked = Embed(model="m", inputs=("a",))
    told = json.loads(write_answer(Vectors(model="m", floats=(VECTORS[0],)), asked, ABOUT))
    assert told["predictions"][0]["embeddings"]["statistics"] == {"token_count": 7, "truncated": False}
    told = json.loads(write_answer(Vectors(model="m", floats=tuple(VECTORS)), asked, ABOUT))
    assert "statistics" not in told["predictions"][0]["embeddings"]
