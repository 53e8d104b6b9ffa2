from __future__ import annotations

import json
from pathlib import Path as File

import pytest
from tests.dialects.tasks.samples import BASE64, VECTORS
from tests.dialects.tasks.test_table import ABOUT
from tests.dialects.tasks.traffic import calls, round_trip

from dragoman.dialects.dialect import Path, Target
from dragoman.dialects.losses import Losses
from dragoman.dialects.tasks import cohere_embed
from dragoman.dialects.tasks.openai_embeddings import read_request, write_answer, write_request
from dragoman.dialects.tasks.task import Embed, Picture, Vectors
from dragoman.errors import Untranslatable

TARGET = Target(model="theirs", provider="p")


@pytest.mark.recorded
def test_recorded(recorded: File) -> None:
    for call in calls(recorded, "api.openai.com/v1/embeddings"):
        asked, told, sent, written = round_trip(call, "openai_embeddings")
        inputs = [sent["input"]] if isinstance(sent["input"], str) else sent["input"]
        assert written["input"] == inputs
        assert len(told.floats) == len(asked.inputs or asked.tokens) == len(inputs)
        assert told.usage.input == json.loads(call["response"]["body"])["usage"]["prompt_tokens"]


def test_base64_is_what_the_sdk_asks_for() -> None:
    asked = read_request(b'{"model":"m","input":"a","encoding_format":"base64"}', Path())
    told = json.loads(write_answer(Vectors(model="m", floats=(VECTORS[0],)), asked, ABOUT))
    assert told["data"] == [{"object": "embedding", "index": 0, "embedding": BASE64[0]}]


def test_tokens_mean_nothing_to_another_model() -> None:
    for tokens in ("[1,2]", "[[1],[2]]"):
        asked = read_request(b'{"model":"m","input":%s}' % tokens.encode(), Path())
        assert json.loads(write_request(asked, TARGET, Losses()).body)["input"] == json.loads(tokens)
        with pytest.raises(Untranslatable, match="texts, not tokens"):
            cohere_embed.write_request(asked, TARGET, Losses())


def test_what_it_has_no_word_for() -> None:
    losses = Losses()
    asked = Embed(model="m", inputs=("a",), purpose="query", truncate="end", title="t", extra={"own": 1})
    write_request(asked, TARGET, losses)
    assert sorted(losses.found) == ["own", "purpose", "title", "truncate"]
    with pytest.raises(Untranslatable, match="embeds no images"):
        write_request(Embed(model="m", inputs=(Picture("image/png", "AA"),)), TARGET, Losses())
    with pytest.raises(Untranslatable, match="no int8 vectors"):
        write_request(Embed(model="m", inputs=("a",), formats=("int8",)), TARGET, Losses())
