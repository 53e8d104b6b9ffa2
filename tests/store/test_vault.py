from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url, select, update

from dragoman.dialects.canonical import Proof, Reasoning
from dragoman.dialects.recall import Turn
from dragoman.store.migrate import ensure_current
from dragoman.store.sqlite import sqlite_engine
from dragoman.store.tables import continuity
from dragoman.store.vault import HOUR_MS, PURGE_EVERY_S, Vault

PEPPER = b"p" * 32
PROOF = Proof(kind="signature", value="a-signature", family="anthropic", model="claude-sonnet-4-5")
TURN = Turn(first_call="toolu_1", reasoning=(Reasoning(text="Hm.", proof=PROOF),), proofs={"toolu_1": PROOF})


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = sqlite_engine(make_url(f"sqlite:///{tmp_path}/t.db"), durable=False)
    ensure_current(made)
    return made


def kept(engine: Engine) -> Vault:
    """A vault in which one turn was put, closed."""
    vault = Vault(engine, PEPPER, 24)
    vault.put("shop", TURN)
    assert vault.find("shop", "toolu_1") == TURN
    vault.close()
    return vault


def test_a_turn_is_found_at_once_and_after_a_restart(engine: Engine) -> None:
    kept(engine)
    again = Vault(engine, PEPPER, 24)
    assert again.find("shop", "toolu_1") == TURN
    assert again.find("shop", "toolu_1") == TURN
    assert again.find("shop", "toolu_2") is None


def test_others_do_not_find_it_even_in_a_row_of_their_own(engine: Engine) -> None:
    kept(engine)
    assert Vault(engine, PEPPER, 24).find("other", "toolu_1") is None
    with engine.begin() as connection:
        connection.execute(update(continuity).values(tenant="other"))
    assert Vault(engine, PEPPER, 24).find("other", "toolu_1") is None


def test_nothing_of_it_is_in_the_database(engine: Engine) -> None:
    kept(engine)
    with engine.connect() as connection:
        (row,) = connection.execute(select(continuity)).all()
    assert not any(secret in bytes(row.blocks) for secret in (b"a-signature", b"Hm.", b"toolu_1"))
    assert row.turn != "toolu_1"
    assert Vault(engine, b"q" * 32, 24).find("shop", "toolu_1") is None


def test_what_is_old_is_not_found_and_is_deleted_with_time(engine: Engine) -> None:
    now = [1_000_000.0]
    vault = Vault(engine, PEPPER, 2, wall_s=lambda: now[0])
    vault.put("shop", TURN)
    vault.close()
    now[0] += 2 * HOUR_MS / 1000 + 1
    later = Vault(engine, PEPPER, 2, wall_s=lambda: now[0])
    assert later.find("shop", "toolu_1") is None
    now[0] += PURGE_EVERY_S + 1
    later.put("shop", Turn(first_call="toolu_2", proofs={"toolu_2": PROOF}))
    later.close()
    with engine.connect() as connection:
        assert len(connection.execute(select(continuity)).all()) == 1


def test_none_is_kept_where_that_is_not_wanted(engine: Engine) -> None:
    vault = Vault(engine, PEPPER, 0)
    vault.put("shop", TURN)
    assert not vault.keeps_any
    assert vault.find("shop", "toolu_1") is None
