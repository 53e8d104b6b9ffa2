from __future__ import annotations

import pytest
from tests.config.test_check import problems_of

from dragoman.config.auditing import Audit
from dragoman.config.schema import Config


def test_by_itself_it_is_on_and_keeps_no_content() -> None:
    assert (Audit().mode, Audit().content) == ("standard", "off")


@pytest.mark.parametrize(
    ("syslog", "well"),
    [("", True), ("udp://log.example:514", True), ("udp://10.0.0.1", True), ("tcp://a:1", False), ("udp://", False)],
)
def test_where_copies_go(syslog: str, well: bool) -> None:
    found = problems_of(Config(audit=Audit(syslog=syslog)))
    assert found == ([] if well else ["audit.syslog: is not udp://host:port"])
