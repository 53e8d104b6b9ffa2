from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from dragoman.access.keys import KeyRing
from dragoman.access.secret import check_secret, load_pepper
from dragoman.cli.keys import expiry
from dragoman.config.schema import Key
from dragoman.store.engine import Store

Run = Callable[..., Result]


def created(run: Run, data: Path, *arguments: str) -> dict[str, object]:
    result = run("keys", "create", *arguments, "--json", "--data-dir", data)
    assert result.exit_code == 0, result.output
    answer = json.loads(result.output)
    assert isinstance(answer, dict)
    return answer


def test_a_key_made_beside_a_running_server_is_found_by_it(run: Run, data: Path, store: Store) -> None:
    ring = KeyRing(store.engine, load_pepper(data, {}), [], loopback=True)
    result = run("keys", "create", "demo", "--data-dir", data)
    assert result.exit_code == 0
    lines = dict(line.split(None, 1) for line in result.output.splitlines()[:3])
    assert check_secret(lines["secret"])
    assert result.output.count(lines["secret"]) == 2  # alone, and in the line to try
    assert "curl " in result.output
    assert ring.refresh()
    principal = ring.find(lines["secret"])
    assert principal is not None and lines["key"] == f"{principal.key_id} (demo)"
    ring.declare([Key(name="from-hash", hash=lines["hash"])])
    declared = ring.find(lines["secret"])
    assert declared is not None and declared.key_id == "config:from-hash"


def test_every_option_reaches_the_key(run: Run, data: Path) -> None:
    for command in ("org create o", "team create t --organisation o", "user create u --organisation o"):
        assert run(*command.split(), "--data-dir", data).exit_code == 0
    assert run("app", "create", "p", "--organisation", "o", "--team", "t", "--data-dir", data).exit_code == 0
    key = created(
        run,
        data,
        "ci",
        *("--allow", "gpt-*", "--allow", "x", "--admin", "--expires", "2030-01-01T00:00:00Z", "--organisation", "o"),
        *("--team", "t", "--user", "u", "--app", "p", "--tag", "b", "--tag", "a", "--max-deadline-s", "2.5"),
        *("--max-retries", "0", "--no-fallbacks", "--allow-no-log", "--no-cache-knobs", "--role", "viewer"),
        *("--model", "openai/*", "--provider", "openai", "--without-guardrail", "pii"),
    )
    expected = {
        "role": "viewer",
        "models": ["openai/*"],
        "providers": ["openai"],
        "without_guardrails": ["pii"],
        "name": "ci",
        "allow": ["gpt-*", "x"],
        "admin": True,
        "expires_at_ms": 1_893_456_000_000,
        "organisation": "o",
        "team": "t",
        "user": "u",
        "app": "p",
        "tags": ["a", "b"],
        "max_deadline_s": 2.5,
        "max_retries": 0,
        "allow_fallbacks": False,
        "allow_no_log": True,
        "allow_cache_knobs": False,
    }
    assert {name: key[name] for name in expected} == expected


def test_the_defaults_allow_all_and_cap_nothing(run: Run, data: Path) -> None:
    key = created(run, data, "plain")
    assert (key["allow"], key["admin"], key["expires_at_ms"], key["max_retries"]) == (["*"], False, None, None)
    assert (key["allow_fallbacks"], key["allow_no_log"]) == (True, False)


def test_the_line_to_try_has_the_configured_port(run: Run, tmp_path: Path) -> None:
    (tmp_path / "dragoman.yaml").write_text(f"server:\n  port: 9123\nstore:\n  data_dir: {tmp_path / 'd'}\n")
    assert "127.0.0.1:9123/v1/models" in run("keys", "create", "a").output


def test_the_list_shows_state_and_never_a_secret(run: Run, data: Path) -> None:
    secrets = [
        str(created(run, data, name, *options)["secret"])
        for name, options in (("a", ["--admin"]), ("b", ["--expires", "2020-01-01T00:00:00Z"]), ("c", []), ("d", []))
    ]
    run("keys", "revoke", "c", "--data-dir", data)
    table = run("keys", "list", "--data-dir", data).output
    states = {line.split()[1]: line for line in table.splitlines()[1:]}
    assert " admin " in states["a"]
    assert " expired " in states["b"]
    assert " revoked " in states["c"]
    assert " in force " in states["d"]
    as_json = run("keys", "list", "--json", "--data-dir", data).output
    assert [key["name"] for key in json.loads(as_json)] == ["a", "b", "c", "d"]
    for secret in secrets:
        assert secret[12:] not in table + as_json
        assert secret[:10] in table


def test_an_empty_list_says_how_to_make_a_key(run: Run, data: Path) -> None:
    assert "dragoman keys create" in run("keys", "list", "--data-dir", data).output
    assert json.loads(run("keys", "list", "--json", "--data-dir", data).output) == []


def test_a_key_is_revoked_by_name_and_by_id(run: Run, data: Path) -> None:
    ids = {name: str(created(run, data, name)["id"]) for name in ("a", "b")}
    for asked, name in (("a", "a"), (ids["b"], "b")):
        result = run("keys", "revoke", asked, "--data-dir", data)
        assert result.exit_code == 0
        assert result.output.startswith(f"{ids[name]} ({name}) is revoked since ")
    assert run("keys", "revoke", ids["a"], "--data-dir", data).exit_code == 0


def test_an_unknown_key_cannot_be_revoked(run: Run, data: Path) -> None:
    result = run("keys", "revoke", "nobody", "--data-dir", data)
    assert result.exit_code == 1
    assert "no key 'nobody'" in result.output


def test_a_name_in_use_is_refused(run: Run, data: Path) -> None:
    created(run, data, "a")
    result = run("keys", "create", "a", "--data-dir", data)
    assert result.exit_code == 1
    assert "already" in result.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--tag", "a,b"], "no comma"),
        (["--expires", "soon"], "is not a time"),
        (["--expires", "2030-01-01T00:00:00"], "time zone"),
        (["--max-retries", "-1"], "--max-retries"),
        (["--max-deadline-s", "0"], "--max-deadline-s"),
        (["--team", "t\n"], "printable"),
        (["--nonsense"], "No such option"),
    ],
)
def test_bad_options_are_wrong_usage(run: Run, data: Path, options: list[str], words: str) -> None:
    result = run("keys", "create", "a", *options, "--data-dir", data)
    assert result.exit_code == 2
    assert words in result.output


def test_another_pepper_is_refused(run: Run, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    created(run, data, "a")
    monkeypatch.setenv("DRAGOMAN_PEPPER", "p" * 32)
    result = run("keys", "create", "b", "--data-dir", data)
    assert result.exit_code == 1
    assert "pepper" in result.output


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("90d", "2026-03-31T00:00:00+00:00"),
        ("2w", "2026-01-14T00:00:00+00:00"),
        ("1y", "2026-12-31T00:00:00+00:00"),
        ("", ""),
        ("0d", "0d"),
        ("2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z"),
    ],
)
def test_periods_become_times(text: str, meaning: str) -> None:
    assert expiry(text, 1_767_139_200.0) == meaning  # 2025-12-31


def test_help_shows_examples(run: Run) -> None:
    for command in (("keys",), ("keys", "create"), ("keys", "list"), ("keys", "revoke")):
        result = run(*command, "--help")
        assert result.exit_code == 0
    assert "dragoman keys create ci" in run("keys", "--help").output


def test_rotated_switched_off_and_on(run: Run, data: Path) -> None:
    at = ("--data-dir", data)
    run("keys", "create", "demo", "--ip-range", "10.0.0.0/8", "--surface", "chat", *at)
    rotated = json.loads(run("keys", "rotate", "demo", "--overlap", "1h", "--json", *at).output)
    assert rotated["secret"].startswith("dgk_")
    assert (rotated["ip_ranges"], rotated["surfaces"]) == (["10.0.0.0/8"], ["chat"])
    assert rotated["previous_until_ms"] > rotated["created_at_ms"] + 3_599_000
    assert "secret  dgk_" in run("keys", "rotate", "demo", *at).output
    assert "is disabled" in run("keys", "disable", "demo", *at).output
    assert "disabled" in run("keys", "list", *at).output
    assert "is enabled" in run("keys", "enable", "demo", *at).output
    assert "disabled" not in run("keys", "list", *at).output
    for command in ("rotate", "disable", "enable"):
        refused = run("keys", command, "nobody", *at)
        assert (refused.exit_code, "no key 'nobody' is in force" in refused.output) == (1, True)
    assert run("keys", "rotate", "demo", "--overlap", "soon", *at).exit_code == 2
    assert "10.0.0.0/99" in run("keys", "create", "x", "--ip-range", "10.0.0.0/99", *at).output


def test_a_key_is_of_what_is_there(run: Run, data: Path) -> None:
    refused = run("keys", "create", "a", "--team", "shpo", "--data-dir", data)
    assert refused.exit_code == 2
    assert "there is no team 'shpo'; make it with: dragoman team create" in refused.output


def test_a_leaked_secret_is_good_no_more(run: Run, data: Path, store: Store) -> None:
    key = created(run, data, "demo")
    found = run("keys", "leaked", str(key["secret"]), "--data-dir", data)
    assert (found.exit_code, "is disabled" in found.output) == (0, True)
    assert str(key["secret"]) not in found.output
    assert "leaked" in run("keys", "list", "--data-dir", data).output
    ring = KeyRing(store.engine, load_pepper(data, {}), [], loopback=True)
    assert ring.find(str(key["secret"])) is None
    rotated = json.loads(run("keys", "rotate", "demo", "--json", "--data-dir", data).output)
    assert run("keys", "enable", "demo", "--data-dir", data).exit_code == 0
    ring.refresh()
    assert ring.find(str(key["secret"])) is None
    assert ring.find(rotated["secret"]) is not None
    assert "is no key of this gateway" in run("keys", "leaked", "dgk_other", "--data-dir", data).output
