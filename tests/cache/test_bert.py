from __future__ import annotations

import struct

import pytest

from dragoman.cache.bert import model_of
from dragoman.cache.safetensors import Tensor


@pytest.mark.parametrize("dtype", ["F32", "F16"])
def test_weights_of_another_network(dtype: str) -> None:
    name = "embeddings.word_embeddings.weight"
    missing = name if dtype == "F16" else "embeddings.position_embeddings.weight"
    with pytest.raises(ValueError, match=missing):
        model_of({name: Tensor(dtype, (1, 1), struct.pack("<f", 1.0))})


def test_weights_that_are_cut_short() -> None:
    with pytest.raises(ValueError, match="reshape"):
        model_of({"embeddings.word_embeddings.weight": Tensor("F32", (2, 1), struct.pack("<f", 1.0))})
