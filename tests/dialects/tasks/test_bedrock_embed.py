from __future__ import annotations

import json
from pathlib import Path as File

import pytest
from tests.dialects.tasks.samples import VECTORS
from tests.dialects.tasks.test_table import ABOUT
from tests.dialects.tasks.traffic import calls, round_trip

from dragoman.dialects.dialect import Target
from dragoman.dialects.losses import Losses
from dragoman.dialects.tasks.bedrock_embed import write_answer, write_request
from dragoman.dialects.tasks.task import Embed, Vectors
from dragoman.errors import Untranslatable

TITAN = Target(model="amazon.titan-embed-text-v2:0", provider="bedrock")


@pytest.mark.recorded
@pytest.mark.parametrize("family", ["cohere.embed", "titan-embed"])
def test_recorded(recorded: File, family: str) -> None:
    for call in calls(recorded, family):
        asked, told, sent, written = round_trip(call, "bedrock_embed")
        written.pop("embedding_types", None)  # what is the default is said
        assert written == sent
        assert len(told.floats) == len(asked.inputs)


def test_titan_takes_one_text_at_a_time() -> None:
    losses = Losses()
    outgoing = write_request(Embed(model="m", inputs=("a",), dimensions=256, purpose="query"), TITAN, losses)
    assert outgoing.path == "/model/amazon.titan-embed-text-v2%3A0/invoke"
    assert json.loads(outgoing.body) == {"inputText": "a", "dimensions": 256}
    assert losses.header() == "purpose"
    with pytest.raises(Untranslatable, match="one text at a time"):
        write_request(Embed(model="m", inputs=("a", "b")), TITAN, Losses())


def test_titan_s_answer() -> None:
    told = json.loads(write_answer(Vectors(model="m", floats=(VECTORS[0],)), Embed(model="m", inputs=("a",)), ABOUT))
    assert told == {"embedding": VECTORS[0], "inputTextTokenCount": 7}
