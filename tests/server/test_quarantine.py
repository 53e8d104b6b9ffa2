from __future__ import annotations

from pathlib import Path

import pytest

from dragoman.errors import Quarantined
from dragoman.server.quarantine import CAREFUL_S, SLOTS, Quarantine


class Server:
    """Workers of one server, that may be brought down."""

    def __init__(self, directory: Path, run: str = "run") -> None:
        self.directory = directory
        self.run = run
        self.now_s = 1_800_000_000.0
        self.workers = {number: self.worker(number) for number in range(2)}

    def worker(self, number: int, *, fell: bool = False) -> Quarantine:
        return Quarantine(self.directory, number, self.run, fell=fell, clock=lambda: self.now_s)

    def falls(self, number: int) -> None:
        """One is brought down, and replaced; the others hear of it."""
        self.workers[number] = self.worker(number, fell=True)
        for one in self.workers.values():
            one.look()

    def serve(self, number: int, body: bytes) -> None:
        """A request that comes to its end."""
        self.workers[number].enter("done", "/v1/x", body)
        self.workers[number].leave("done")


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def poisoned(server: Server) -> None:
    """Three falls by one request, each at another worker than the one before."""
    for number in (0, 1, 0):
        server.workers[number].enter("r", "/v1/x", b"poison")
        server.falls(number)


def test_p11_what_brought_down_two_careful_workers_is_refused_for_an_hour(server: Server) -> None:
    poisoned(server)
    for one in server.workers.values():
        with pytest.raises(Quarantined, match="fell 2 times"):
            one.enter("r", "/v1/x", b"poison")
        one.enter("other", "/v1/x", b"another")
        one.enter("elsewhere", "/v1/y", b"poison")
        assert len(one.refused) == 1
        assert one.is_careful
        one.leave("other")
        one.leave("elsewhere")
    server.now_s += CAREFUL_S
    for one in server.workers.values():
        one.look()
        assert (one.is_careful, one.refused) == (False, [])
        one.enter("r", "/v1/x", b"poison")


def test_while_nobody_falls_nothing_is_noted(server: Server) -> None:
    server.serve(0, b"x")
    server.workers[0].enter("r", "/v1/x", b"x")
    assert not server.workers[0].is_careful
    assert not (server.directory / "under-way-0").exists()
    assert not (server.directory / "quarantine.json").exists()


def test_what_comes_to_its_end_is_innocent_however_often_it_was_there(server: Server) -> None:
    for number in (0, 1, 0, 1, 0):
        server.workers[number].enter("r", "/v1/x", b"poison")
        server.workers[number].enter("usual", "/v1/x", b"usual")
        server.falls(number)
        server.serve(number, b"usual")
        if server.workers[number].refused:
            break
    assert len(server.workers[0].refused) == 1
    server.serve(0, b"usual")
    with pytest.raises(Quarantined):
        server.serve(0, b"poison")


def test_an_end_in_order_leaves_nothing(server: Server) -> None:
    server.falls(0)
    server.workers[0].enter("r", "/v1/x", b"x")
    assert (server.directory / "under-way-0").stat().st_mode & 0o777 == 0o600
    server.workers[0].close()
    server.workers[0].close()
    assert not (server.directory / "under-way-0").exists()


def test_another_start_of_the_server_knows_nothing(server: Server) -> None:
    poisoned(server)
    Server(server.directory, "another").serve(0, b"poison")


def test_a_file_that_is_none_is_no_hindrance(server: Server) -> None:
    (server.directory / "quarantine.json").write_bytes(b"{")
    server.falls(0)
    assert server.workers[1].is_careful


def test_nothing_that_was_said_can_be_read(server: Server) -> None:
    poisoned(server)
    server.workers[0].enter("r", "/v1/x", b"secret words")
    assert not any(
        b"poison" in path.read_bytes() or b"secret" in path.read_bytes() for path in server.directory.iterdir()
    )


def test_more_than_there_is_room_for_is_served_all_the_same(server: Server) -> None:
    server.falls(0)
    for number in range(SLOTS + 10):
        server.workers[0].enter(str(number), "/v1/x", str(number).encode())
    for number in range(SLOTS + 10):
        server.workers[0].leave(str(number))
    assert len(server.workers[0]._free) == SLOTS
    assert not any((server.directory / "under-way-0").read_bytes())
