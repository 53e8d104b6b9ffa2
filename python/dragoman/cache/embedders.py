"""Where vectors of texts come from."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import msgspec

from dragoman.core import Embedder
from dragoman.errors import ConfigError

# The header of a safetensors file begins with its own length, in so many bytes.
LENGTH_BYTES = 8


class Meaning(msgspec.Struct, frozen=True):
    """A text's vector as a provider's model has it. Those of two models say nothing of each other."""

    model: str
    vector: list[float]


class _Tensor(msgspec.Struct):
    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


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
        data = weights.read_bytes()
        begin = LENGTH_BYTES + int.from_bytes(data[:LENGTH_BYTES], "little")
        tensors = msgspec.json.decode(data[LENGTH_BYTES:begin], type=dict[str, _Tensor])
        (tensor,) = tensors.values()
        start, end = (begin + offset for offset in tensor.data_offsets)
        return Embedder.tokens(data[start:end], tensor.shape[1], tokenizer.read_bytes())
    except (ValueError, OSError, IndexError, msgspec.DecodeError) as error:
        raise ConfigError([f"cache.embedding: the files of wordllama are not as expected: {error}"]) from None
