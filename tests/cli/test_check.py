from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dragoman.access.secret import create_secret
from dragoman.cli import root

SECRET = create_secret()
GOOD = f"""
server: {{host: 0.0.0.0}}
providers:
  openai: {{credentials: [{{key: hunter2}}, {{key: hunter3}}]}}
  box: {{base_url: "http://10.0.0.7:8000/v1", allow_private: true}}
deployments:
  big: {{provider: openai, model: gpt-4.1, weight: 2, max_concurrent: 8, region: eu}}
routes:
  chat: {{tiers: [[big, box/small], [openai/gpt-4.1-mini]], strategy: cheapest}}
keys:
  - {{name: alice, secret: {SECRET}, allow: [chat], team: research, admin: true, expires: "2999-01-01T00:00:00Z"}}
rehearsal: {{enabled: true}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "dragoman.yaml"
    path.write_text(GOOD)
    return path


def run(*arguments: str) -> Result:
    return CliRunner(env={"DRAGOMAN_CONFIG": None}).invoke(root, ["check", *arguments])


def test_what_it_understood(file: Path) -> None:
    result = run(str(file))
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"{file}: good",
        "listens on 0.0.0.0:8080",
        "providers (2):",
        "  openai: https://api.openai.com/v1, 2 credentials",
        "  box (openai-compatible): http://10.0.0.7:8000/v1, no credential, private addresses allowed",
        "  rehearsal: answers without a network",
        "deployments (1):",
        "  big: openai/gpt-4.1 (weight 2, eu, at most 8 at once)",
        "routes (1):",
        "  chat: big | box/small -> openai/gpt-4.1-mini (cheapest)",
        "keys (1):",
        "  alice: may use chat; for research; admin; until 2999-01-01T00:00:00Z",
    ]


CONTROLS = """
providers: {openai: {api_key: hunter2}}
routes: {faq: {tiers: [[openai/gpt-4.1-mini]], cache: on, semantic: {}}}
cache: {mode: on, scope: team}
guardrails:
  pii: {mask: {}}
  hook: {webhook: {url: "https://g.example.com", secret: hunter3}, parallel: true, on: [input], on_error: open}
prompts:
  templates: {t: {versions: {"1": {messages: [{role: user, text: hi}]}, "2": {messages: [{role: user, text: ho}]}}}}
  decorators: {d: {prepend: a, append: b}}
  parameters: {p: {caps: {max_tokens: 5}, forbidden: [tools], prompt_cache: true}}
"""


def test_what_controls_requests(file: Path) -> None:
    file.write_text(CONTROLS)
    result = run(str(file))
    lines = result.stdout.splitlines()
    assert lines[lines.index("routes (1):") :] == [
        "routes (1):",
        "  faq: openai/gpt-4.1-mini (latency, cache on, answers questions in other words)",
        "guardrails (2):",
        "  pii: mask",
        "  hook: webhook (on input, open on errors, beside the model)",
        "prompts (3):",
        "  t: template, versions 1, 2, 2 where none is named",
        "  d: prepend and append to the system prompt",
        "  p: caps max_tokens; forbids tools; marks prompts for providers' caches",
        "keeps answers for 3600 s, to be given again within one team",
    ]
    assert "hunter" not in result.output


def test_no_secret_is_printed(file: Path) -> None:
    output = run(str(file)).output
    assert "hunter" not in output
    assert SECRET not in output


def test_warnings_are_printed_apart(file: Path) -> None:
    file.write_text("server: {host: 0.0.0.0}\n")
    result = run(str(file))
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: server.host")
    assert "warning:" not in result.stdout


def test_every_fault_and_78(file: Path) -> None:
    file.write_text("server: {prot: 1}\nroutes: {r: {tiers: [[gone]]}}\n")
    result = run(str(file))
    assert result.exit_code == 78
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "the configuration cannot be used:",
        f'  {file}:1: server.prot: unknown field; did you mean "port"?',
        f'  {file}:2: routes.r.tiers[0][0]: there is no deployment "gone"',
    ]


def test_by_option_by_variable_and_without(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("--config", str(file)).stdout.startswith(f"{file}: good")
    assert run().stdout.startswith("dragoman.yaml: good")
    file.rename(tmp_path / "other.yaml")
    by_variable = CliRunner(env={"DRAGOMAN_CONFIG": "other.yaml"}).invoke(root, ["check"])
    assert by_variable.stdout.startswith("other.yaml: good")
    assert run().stdout.startswith("no configuration file: good")
    assert run("gone.yaml").exit_code == 78


def test_the_schema() -> None:
    result = run("--schema")
    assert json.loads(result.stdout)["title"] == "Dragoman"


@pytest.mark.parametrize(
    ("audit", "said"),
    [
        ("{mode: standard}", None),
        ("{mode: off}", "keeps no audit log"),
        ("{content: masked}", "keeps an audit log with prompts as they are sent"),
        ("{mode: strict}", "keeps an audit log with no content, and sends nothing that is not on record"),
    ],
)
def test_limits_and_the_audit_log(tmp_path: Path, audit: str, said: str | None) -> None:
    path = tmp_path / "dragoman.yaml"
    path.write_text(
        f"limits: {{each: {{of: [key], cost_usd: 2}}}}\naudit: {audit}\n"
        "keys: [{name: k, hash: " + "ab" * 32 + ", budget_usd: 5}]\n"
    )
    lines = run(str(path)).output.splitlines()
    assert "  each: $2 a month for each key" in lines
    assert "  k: may use *; $5 a month" in lines
    assert [line for line in lines if "audit log" in line] == ([] if said is None else [said])


SHARED = """
server: {workers: 3}
store: {url: "postgresql+psycopg://dragoman@db/dragoman"}
redis: {url: "redis://valkey"}
providers: {openai: {api_key: hunter2}}
identity:
  issuers:
    sso: {issuer: "https://login.acme.example", audience: [dragoman, x], client_id: c, client_secret: hunter4}
"""


def test_what_is_shared_and_who_logs_in(file: Path) -> None:
    file.write_text(SHARED)
    result = run(str(file))
    lines = result.stdout.splitlines()
    assert lines[1:3] == [
        "listens on 127.0.0.1:8080 with 3 workers",
        "counts limits in Redis, together with all servers there",
    ]
    assert "  sso: https://login.acme.example, for dragoman, x, and people log in with it" in lines
    assert "hunter" not in result.output
