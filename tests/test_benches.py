"""What the benches measure can be measured."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from typing import Any

import pytest

from dragoman.config.schema import Store as Settings
from dragoman.dialects.table import DIALECTS
from dragoman.store.engine import open_store
from dragoman.usage.report import Question, report_usage

BENCHES = Path(__file__).parent.parent / "benches"


def bench(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, BENCHES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def translation() -> Any:
    return bench("translation")


@pytest.mark.parametrize("client", DIALECTS)
def test_every_pair_of_dialects(translation: Any, client: str) -> None:
    to = translation.Sample(client)
    for provider in DIALECTS:
        sample = to if provider == client else translation.Sample(provider)
        assert sample.frames
        assert translation.request(sample, to)() is not None
        assert translation.whole(sample, to)() is not None
        translation.stream(sample, to)()


def test_every_question_about_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    analytics = bench("analytics")
    for name, value in {"DAYS": 8, "KEYS": 4, "REQUESTS": 20_000}.items():
        monkeypatch.setattr(analytics, name, value)
    monkeypatch.setattr(analytics, "END_MS", analytics.BEGIN_MS + 8 * analytics.DAY_MS)
    traffic = analytics.Traffic(random.Random(1))
    store = open_store(Settings(data_dir=str(tmp_path)), {}, role="server")
    analytics.fill(store, traffic)
    by_day = report_usage(store.engine, Question(by=("day",)))
    by_hour = report_usage(store.engine, Question(by=("hour",)))
    assert by_day.whole.requests == by_hour.whole.requests == pytest.approx(20_000, rel=0.2)
    for name, question in analytics.bounded().items():
        assert report_usage(store.engine, question).whole.requests > 0, name
    store.close()
