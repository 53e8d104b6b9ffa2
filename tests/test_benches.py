"""What the benches measure can be measured."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from dragoman.dialects.table import DIALECTS

BENCHES = Path(__file__).parent.parent / "benches"


@pytest.fixture(scope="module")
def translation() -> Any:
    spec = importlib.util.spec_from_file_location("translation", BENCHES / "translation.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("client", DIALECTS)
def test_every_pair_of_dialects(translation: Any, client: str) -> None:
    to = translation.Sample(client)
    for provider in DIALECTS:
        sample = to if provider == client else translation.Sample(provider)
        assert sample.frames
        assert translation.request(sample, to)() is not None
        assert translation.whole(sample, to)() is not None
        translation.stream(sample, to)()
