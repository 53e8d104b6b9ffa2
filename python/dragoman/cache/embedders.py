"""Where vectors of texts come from."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import msgspec

from dragoman.cache.safetensors import tensors_of
from dragoman.core import Embedder
from dragoman.errors import ConfigError


class Meaning(msgspec.Struct, frozen=True):
    """A text's vector as a provider's model has it. Those of two models say nothing of each other."""

    model: str
    vector: list[float]


def embedder_of(name: str) -> Embedder:
    """The embedder of that name; where a provider makes the vectors, the one that tells words apart.

    Raises:
        ConfigError: its weights are not installed, or are not what they should be.
    """
    return _wordllama() if name == "wordllama" else Embedder.spelling()


def _wordllama() -> Embedder:
    """The table of tokens in the package ``wordllama``, which is read and not run."""
    spec = find_spec("wordllama")
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    if not folders:
        raise ConfigError(["cache.embedding: wordllama is not installed: pip install 'dragoman[semantic]'"])
    try:
        (weights,) = Path(folders[0], "weights").glob("*_256.safetensors")
        (tokenizer,) = Path(folders[0], "tokenizers").glob("*.json")
        (table,) = tensors_of(weights.read_bytes()).values()
        return Embedder.tokens(table.data, table.shape[1], tokenizer.read_bytes())
    except (ValueError, OSError, IndexError) as error:  # msgspec's DecodeError is a ValueError
        raise ConfigError([f"cache.embedding: the files of wordllama are not as expected: {error}"]) from None
