from __future__ import annotations

import pytest
from tests.gateway.upstream import Upstream
from tests.guardrails.called.services import serving
from tests.guardrails.called.test_round import ask, config
from tests.served import Serve

from dragoman.config.called import Presidio
from dragoman.guardrails.called.asked import CannotLook
from dragoman.guardrails.called.presidio import PresidioForm

FOUND = [
    {"entity_type": "PERSON", "start": 0, "end": 3, "score": 0.85},
    {"entity_type": "URL", "start": 5, "end": 9, "score": 0.3},
]


def test_it_is_asked_as_an_analyzer_is(serve: Serve, upstream: Upstream) -> None:
    with serving() as service:
        service.answer = lambda path, body: FOUND
        made = config(upstream, service)
        made["guardrails"]["hook"] = {"presidio": {"url": f"{service.url}/", "entities": ["PERSON"]}}
        refused = ask(serve(made), "Ann says hello.")
        ((path, _, told),) = service.asked
    assert (refused.code, "PERSON" in refused.json["error"]["message"]) == ("guardrail_blocked", True)
    assert "Ann" not in refused.json["error"]["message"]
    assert path == "/analyze"
    assert told == {"text": "Ann says hello.", "language": "en", "score_threshold": 0.5, "entities": ["PERSON"]}


def test_what_counts() -> None:
    body = b'[{"entity_type": "PERSON", "score": 0.85, "start": 0}, {"entity_type": "URL", "score": 0.3}]'
    finding = PresidioForm(Presidio(url="http://presidio")).read(body)
    assert finding is not None
    assert (finding.signals, finding.score) == (("PERSON",), 0.85)
    assert PresidioForm(Presidio(url="http://presidio", entities=("URL",))).read(body) is None
    assert PresidioForm(Presidio(url="http://presidio")).read(b"[]") is None


@pytest.mark.parametrize("body", [b"", b"{}", b'{"error": "no"}', b'[{"start": 1}]'])
def test_what_nobody_understands(body: bytes) -> None:
    with pytest.raises(CannotLook):
        PresidioForm(Presidio(url="http://presidio")).read(body)
