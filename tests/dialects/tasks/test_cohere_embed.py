from __future__ import annotations

import json
from pathlib import Path as File

import pytest
from tests.dialects.tasks.samples import BASE64, VECTORS
from tests.dialects.tasks.test_table import ABOUT
from tests.dialects.tasks.traffic import calls, round_trip

from dragoman.dialects.dialect import Path, Target
from dragoman.dialects.fields import Unreadable
from dragoman.dialects.losses import Losses
from dragoman.dialects.tasks.cohere_embed import read_request, write_answer, write_request
from dragoman.dialects.tasks.task import Embed, Picture, Vectors
from dragoman.errors import Untranslatable

TARGET = Target(model="theirs")


@pytest.mark.recorded
def test_recorded(recorded: File) -> None:
    for call in calls(recorded, "api.cohere.com/v2/embed"):
        asked, told, sent, written = round_trip(call, "cohere_embed")
        assert written == sent
        assert len(told.floats) == len(asked.inputs)
        assert told.usage.input > 0


def test_other_formats_come_back_as_they_are() -> None:
    asked = read_request(b'{"model":"m","texts":["a"],"embedding_types":["int8","base64","float"]}', Path())
    written = json.loads(write_request(asked, TARGET, Losses()).body)
    assert written["embedding_types"] == ["float", "int8"]
    told = Vectors(model="m", floats=(VECTORS[0],), others={"int8": [[1, 2, 3]]})
    embeddings = json.loads(write_answer(told, asked, ABOUT))["embeddings"]
    assert embeddings == {"int8": [[1, 2, 3]], "float": [VECTORS[0]], "base64": [BASE64[0]]}


def test_images() -> None:
    picture = Picture("image/png", "AAAA")
    asked = read_request(b'{"model":"m","images":["data:image/png;base64,AAAA"],"input_type":"image"}', Path())
    assert asked.inputs == (picture,)
    assert json.loads(write_request(asked, TARGET, Losses()).body)["images"] == [picture.url]
    part = {"type": "image_url", "image_url": {"url": picture.url}}
    mixed = {"model": "m", "inputs": [{"content": [{"type": "text", "text": "a"}]}, {"content": [part]}]}
    asked = read_request(json.dumps(mixed).encode(), Path())
    assert asked.inputs == ("a", picture)
    with pytest.raises(Untranslatable, match="not both at once"):
        write_request(asked, TARGET, Losses())


@pytest.mark.parametrize(
    ("body", "at"),
    [
        (b'{"texts":["a"],"input_type":"else"}', "input_type"),
        (b'{"texts":["a"],"truncate":"MIDDLE"}', "truncate"),
        (b'{"images":["https://x/a.png"]}', "images[0]"),
        (b'{"inputs":[{"content":[]}]}', "inputs[0].content"),
    ],
)
def test_what_is_wrong(body: bytes, at: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_request(body, Path(model="m"))
    assert caught.value.at == at


def test_what_it_has_only_something_like() -> None:
    losses = Losses()
    asked = Embed(model="m", inputs=("a",), purpose="similarity", title="t")
    written = json.loads(write_request(asked, TARGET, losses).body)
    assert (written["input_type"], losses.header()) == ("clustering", "title, ~purpose")
