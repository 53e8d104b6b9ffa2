from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from tests.gateway.client import Response, chat_body, post
from tests.gateway.gateway import Gateway, config_for
from tests.gateway.upstream import Upstream, answer, expect
from tests.store.between import Between

from dragoman.access.secret import load_pepper
from dragoman.access.stored import create_key, load_keys, revoke_key
from dragoman.config.limiting import Limit
from dragoman.config.prompting import Turn, Version
from dragoman.config.schema import Key
from dragoman.config.schema import Store as Settings
from dragoman.errors import DatabaseAway, StoreError
from dragoman.store.configs import StoredConfig, add_config
from dragoman.store.engine import answers, open_store
from dragoman.store.lastgood import FILE, LastGoodFile, open_last_good, remove_last_good, save
from dragoman.store.limits import list_limits, set_limit
from dragoman.store.prompts import add_prompt, list_prompts

PEPPER = bytes(range(32))
NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000
PATIENCE_S = 30.0


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    store = open_store(Settings(data_dir=str(tmp_path)), {}, role="server")
    yield store.engine
    store.close()


def opened(directory: Path, *, hours: float = 1.0, now_ms: int = NOW_MS, pepper: bytes = PEPPER) -> Engine:
    return open_last_good(directory, pepper, most_hours=hours, now_ms=now_ms, name="0").engine


def test_what_is_kept_is_there_and_nothing_can_be_written(engine: Engine, tmp_path: Path) -> None:
    made = create_key(engine, PEPPER, Key(name="one"), now_ms=1)
    revoke_key(engine, create_key(engine, PEPPER, Key(name="gone"), now_ms=1).key.id, now_ms=2)
    set_limit(engine, "money", Limit(cost_usd=1), now_ms=1)
    add_prompt(engine, "greet", Version(messages=(Turn(role="user", text="Hello"),)), now_ms=1)
    for body in ("routes: {}\n", "routes: {a: {}}\n"):
        add_config(engine, body, author="me", note="", now_ms=1)
    save(engine, tmp_path, PEPPER, now_ms=NOW_MS)
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    kept = opened(tmp_path)
    try:
        assert load_keys(kept, PEPPER).principals.keys() == {bytes.fromhex(made.hash)}
        assert load_keys(kept, PEPPER).generation == load_keys(engine, PEPPER).generation
        assert list_limits(kept) == {"money": Limit(cost_usd=1)}
        assert [one.id for one in list_prompts(kept)] == ["greet"]
        assert (StoredConfig(kept).version, StoredConfig(kept).text) == (2, "routes: {a: {}}\n")
        with pytest.raises(StoreError, match="readonly"):
            create_key(kept, PEPPER, Key(name="two"), now_ms=3)
        with pytest.raises(SQLAlchemyError), kept.begin() as connection:
            connection.execute(text("DELETE FROM keys"))
    finally:
        kept.dispose()


def test_one_that_is_old_or_of_the_future_is_not_used(engine: Engine, tmp_path: Path) -> None:
    save(engine, tmp_path, PEPPER, now_ms=NOW_MS)
    opened(tmp_path, now_ms=NOW_MS + HOUR_MS).dispose()
    with pytest.raises(StoreError, match=r"are 1\.5 hours old"):
        opened(tmp_path, now_ms=NOW_MS + HOUR_MS * 3 // 2)
    with pytest.raises(StoreError, match="hours old"):
        opened(tmp_path, now_ms=NOW_MS - 2 * HOUR_MS)


def test_one_that_somebody_has_changed_is_not_used(engine: Engine, tmp_path: Path) -> None:
    save(engine, tmp_path, PEPPER, now_ms=NOW_MS)
    good = (tmp_path / FILE).read_bytes()
    for place in (0, 25, 55, 60, len(good) // 2, len(good) - 1):
        (tmp_path / FILE).write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        with pytest.raises(StoreError, match="not as this server wrote it"):
            opened(tmp_path)
    for changed in (b"", good[:40], good[:-1], good + b"\0"):
        (tmp_path / FILE).write_bytes(changed)
        with pytest.raises(StoreError, match="not as this server wrote it"):
            opened(tmp_path)
    (tmp_path / FILE).write_bytes(good)
    with pytest.raises(StoreError, match="not as this server wrote it"):
        opened(tmp_path, pepper=PEPPER[::-1])
    opened(tmp_path).dispose()


def test_one_of_another_version_is_not_used(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(engine, tmp_path, PEPPER, now_ms=NOW_MS)
    monkeypatch.setattr("dragoman.store.migrate.REVISION", "r9999")
    with pytest.raises(StoreError, match="another version"):
        opened(tmp_path)


def test_there_may_be_none(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no last good keys were kept"):
        opened(tmp_path)
    remove_last_good(tmp_path)


def test_it_is_written_when_something_changes(engine: Engine, tmp_path: Path) -> None:
    file = LastGoodFile(engine, tmp_path, PEPPER)
    written = []
    for change in (None, None, "one", None, "two"):
        if change:
            create_key(engine, PEPPER, Key(name=change), now_ms=1)
        assert file.look()
        written.append((tmp_path / FILE).read_bytes()[-4096:])
        written[-1] = (tmp_path / FILE).stat().st_ino.to_bytes(8, "big")
    assert [one == before for one, before in zip(written[1:], written, strict=False)] == [True, False, True, False]
    assert [path.name for path in tmp_path.iterdir() if "last-good" in path.name] == [FILE]
    remove_last_good(tmp_path)
    assert not (tmp_path / FILE).exists()


def test_a_database_that_cannot_be_read_leaves_what_there_is(engine: Engine, tmp_path: Path) -> None:
    file = LastGoodFile(engine, tmp_path, PEPPER)
    assert file.look()
    before = (tmp_path / FILE).read_bytes()
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE limits"))
        connection.execute(text("INSERT INTO meta (name, value) VALUES ('limits_generation', '9')"))
    assert not file.look()
    assert (tmp_path / FILE).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if "last-good" in path.name] == [FILE]


# On PostgreSQL -------------------------------------------------------------------------------------------------------


def test_a_server_that_is_not_there_is_told_from_one_that_refuses(url: str, tmp_path: Path) -> None:
    away = Settings(url="postgresql+psycopg://nobody@127.0.0.1:1/none", data_dir=str(tmp_path))
    with pytest.raises(DatabaseAway, match="cannot be used"):
        open_store(away, {}, role="server")
    assert not answers(away, {})
    assert answers(Settings(url=url), {})
    none = url.rsplit("/", 1)[0] + "/no_such_database"
    with pytest.raises(StoreError) as told:
        open_store(Settings(url=none + ("?" + url.split("?")[1] if "?" in url else "")), {}, role="server")
    assert not isinstance(told.value, DatabaseAway)


@pytest.fixture
def between(url: str) -> Iterator[Between]:
    with Between(url, lambda: "") as middle:
        yield middle


def comes(check: Callable[[], bool]) -> bool:
    until_s = time.monotonic() + PATIENCE_S
    while not check() and time.monotonic() < until_s:
        time.sleep(0.1)
    return check()


def test_s6_a_start_while_the_database_is_away(between: Between, upstream: Upstream, tmp_path: Path, url: str) -> None:
    upstream.reply(expect, answer())
    config = config_for(upstream.base_url, limits={"money": {"cost_usd": 1, "applies_to": {"routes": ["dear"]}}})
    config["routes"]["dear"] = config["routes"]["chat"]
    config["deployments"]["up0"]["price"] = {"input_usd_mtok": 1.0, "output_usd_mtok": 1.0}
    config["store"] = {"url": between.url, "last_good_hours": 1}
    data = tmp_path / "data"
    with Gateway(config, tmp_path):
        pepper = load_pepper(data, {})
        secret = create_key(postgresql(url), pepper, Key(name="one"), now_ms=int(time.time() * 1000)).secret
        assert comes(lambda: keys_kept(data, pepper) == 1)
    between.shut()
    with Gateway(config, tmp_path) as away:

        def chat(secret: str, model: str = "chat") -> Response:
            return post(away.port, "/v1/chat/completions", chat_body(model=model), authorization=f"Bearer {secret}")

        assert [chat(secret).status, chat("dgk_unknown").status] == [200, 401]
        dear = chat(secret, "dear")
        assert (dear.status, dear.json["error"]["code"]) == (503, "budget_unavailable")
        assert "store: the database is away" in away.get("/readyz").json["degraded"][0]
        between.open()
        assert comes(lambda: is_whole(away))
        assert chat(secret, "dear").status == 200
        assert comes(lambda: rows_of(url) == 3)  # those of the meantime as well: two were sent with the key
    between.shut()
    config["store"]["last_good_hours"] = 0
    with pytest.raises(AssertionError, match="cannot be used"), Gateway(config, tmp_path):
        pass


def keys_kept(data: Path, pepper: bytes) -> int:
    try:
        kept = open_last_good(data, pepper, most_hours=1, now_ms=int(time.time() * 1000), name="test")
    except StoreError:
        return 0
    try:
        return load_keys(kept.engine, pepper).total
    finally:
        kept.engine.dispose()


def is_whole(gateway: Gateway) -> bool:
    try:
        return gateway.get("/readyz").json["degraded"] == []
    except OSError:
        return False  # between two workers


def postgresql(url: str) -> Engine:
    return create_engine(url, poolclass=NullPool)


def rows_of(url: str) -> int:
    with postgresql(url).connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM usage")).scalar_one())
