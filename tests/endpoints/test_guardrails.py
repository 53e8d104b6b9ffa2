from __future__ import annotations

from tests.gateway.gateway import config_for
from tests.gateway.upstream import Upstream
from tests.served import Serve

from dragoman.access.secret import create_secret

PLAIN, ADMIN = create_secret(), create_secret()
KEYS = [{"name": "plain", "secret": PLAIN}, {"name": "admin", "secret": ADMIN, "admin": True}]


def test_an_admin_is_told_what_is_seen(serve: Serve, upstream: Upstream) -> None:
    guardrails = {"pii": {"mask": {}}, "topics": {"words": {"deny": ["x"]}, "mode": "shadow"}}
    served = serve(config_for(upstream.base_url, guardrails=guardrails, keys=KEYS))
    told = served.get("/v1/guardrails/coverage", authorization=f"Bearer {ADMIN}").json
    assert told["dialects"]["anthropic"]["request: tool result"] == "covered"
    assert told["sessions"]["openai_realtime"]["client: tool result"] == "covered"
    assert told["sessions"]["gemini_live"]["model: sound"] == "refused"
    assert told["controls"]["sessions: setup"]["parameter capped"] == "covered"
    assert told["guardrails"]["topics"]["on_stream"] == "windows"
    assert told["guardrails"]["pii"]["kind"] == "mask"
    assert told["guardrails"]["topics"]["mode"] == "shadow"
    assert served.get("/v1/guardrails/coverage", authorization=f"Bearer {PLAIN}").status == 403
    assert served.get("/v1/guardrails/coverage").status == 401


def test_those_who_are_called_out_are_named(serve: Serve, upstream: Upstream) -> None:
    guardrails = {
        "hook": {"webhook": {"url": "https://example.com"}},
        "guard": {"judge": {"model": "up0"}, "on": ["input"]},
    }
    served = serve(config_for(upstream.base_url, guardrails=guardrails))
    told = served.get("/v1/guardrails/coverage").json["guardrails"]
    assert (told["hook"]["kind"], told["guard"]["on"]) == ("webhook", ["input"])
    assert told["hook"]["on"] == ["input", "output", "tool_arguments", "tool_results"]
