from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import insert
from tests.cli.conftest import Run

from dragoman.cli.limits import described
from dragoman.config.guards import AppliesTo
from dragoman.config.limiting import Limit
from dragoman.ledger.figures import NEVER_MS
from dragoman.store.engine import Store
from dragoman.store.tables import ledger


def test_set_listed_and_removed(run: Run, data: Path) -> None:
    at = ("--data-dir", data)
    assert "no limits" in run("limits", "list", *at).output
    done = run(
        "limits", "set", "research", "--of", "team", "--team", "research", "--cost", "5", "--alert-at", "0.8", *at
    )
    assert done.output == "research is set: $5 a month for each team, of teams research\n"
    assert "$5 a month for each team" in run("limits", "list", *at).output
    listed = json.loads(run("limits", "list", "--json", *at).output)
    assert listed["limits"]["research"]["alert_at"] == [0.8]
    assert run("limits", "remove", "research", *at).output == "research is removed\n"
    refused = run("limits", "remove", "research", *at)
    assert (refused.exit_code, "no limit 'research' is stored" in refused.output) == (1, True)


def test_what_limits_stand_at(run: Run, store: Store, data: Path) -> None:
    rows = [
        {
            "name": "a",
            "measure": "cost",
            "period": "day",
            "who": '["acme","x"]',
            "ends_ms": NEVER_MS,
            "spent": 1_500_000,
        },
        {"name": "b", "measure": "tokens", "period": "day", "who": "", "ends_ms": 4_000_000_000_000, "spent": 7},
    ]
    with store.engine.begin() as connection:
        for row in rows:
            connection.execute(insert(ledger).values(slot_ms=0, claimed=0, **row))
    lines = run("limits", "list", "--data-dir", data).output.splitlines()[-2:]
    assert [line.split() for line in lines] == [
        ["a", "acme", "/", "x", "day", "$0.001500", "for", "good"],
        ["b", "all", "day", "7", "tokens", "2096-10-02", "07:06Z"],
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("x",), "limits nothing"),
        (("a b", "--cost", "1"), "a name is"),
        (("x", "--cost", "0"), "0"),
        (("x", "--requests", "1", "--of", "planet"), "planet"),
        (("x", "--requests", "1", "--sliding", "--per", "ever"), "the last ever is none"),
    ],
)
def test_what_is_no_limit_says_why(run: Run, data: Path, arguments: tuple[str, ...], said: str) -> None:
    refused = run("limits", "set", *arguments, "--data-dir", data)
    assert (refused.exit_code, said in refused.output) == (2, True), refused.output


def test_a_limit_of_the_configuration_is_its_own(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "d.yaml"
    config.write_text(f"store: {{data_dir: {tmp_path / 'd'}}}\nlimits: {{x: {{requests: 1}}}}\n")
    refused = run("limits", "set", "x", "--requests", "2", "--config", config)
    assert (refused.exit_code, "the configuration has a limit 'x'" in refused.output) == (1, True)


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (Limit(requests=5, tokens=6, per="minute"), "5 requests, 6 tokens a minute for all together"),
        (Limit(concurrent=2, of=("key",)), "2 at the same time for each key"),
        (Limit(cost_usd=0.5, per="ever", concurrent=1), "$0.5 for good; 1 at the same time for all together"),
        (
            Limit(requests=1, applies_to=AppliesTo(teams=("a", "b"), keys=("k",)), mode="shadow"),
            "1 requests a month for all together, of teams a, b; keys k (shadow)",
        ),
    ],
)
def test_in_words(limit: Limit, words: str) -> None:
    assert described(limit) == words
