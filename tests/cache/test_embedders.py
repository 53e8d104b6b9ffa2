from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from dragoman.cache import embedders
from dragoman.cache.embedders import embedder_of
from dragoman.errors import ConfigError


def cosine(one: list[float], other: list[float]) -> float:
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    return float(dot / (sum(a * a for a in one) * sum(b * b for b in other)) ** 0.5)


def test_spelling_needs_nothing() -> None:
    assert embedder_of("spelling").dimensions == 256


def test_wordllama_knows_what_words_mean() -> None:
    embedder = embedder_of("wordllama")
    car, auto, soup = (embedder.embed(text) for text in ("buy a car", "purchase an automobile", "cook a soup"))
    assert len(car) == 256
    assert cosine(car, auto) > cosine(car, soup) + 0.2


def test_where_it_is_not_installed_it_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedders, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"dragoman\[semantic\]"):
        embedder_of("wordllama")


@pytest.mark.parametrize("files", [[], ["x_256.safetensors"], ["x_256.safetensors", "y_256.safetensors"]])
def test_files_that_are_not_as_expected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, files: list[str]) -> None:
    for folder in ("weights", "tokenizers"):
        (tmp_path / folder).mkdir()
    (tmp_path / "tokenizers" / "t.json").write_text("{}")
    for name in files:
        (tmp_path / "weights" / name).write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    monkeypatch.setattr(
        embedders, "find_spec", lambda name: SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    )
    with pytest.raises(ConfigError, match="not as expected"):
        embedder_of("wordllama")
