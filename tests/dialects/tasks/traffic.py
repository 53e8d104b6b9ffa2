"""The recorded calls for vectors and rankings."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path as File
from typing import Any

from dragoman.dialects.dialect import Path, Target
from dragoman.dialects.losses import Losses
from dragoman.dialects.tasks.table import TASKS


@cache
def _all(folder: File) -> list[dict[str, Any]]:
    with gzip.open(folder / "traffic" / "traffic.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def calls(folder: File, part: str) -> list[dict[str, Any]]:
    """Those whose URL has this in it and whose answer is one."""
    found = [one for one in _all(folder) if part in one["request"]["url"] and one["response"]["status"] == 200]
    assert found
    return found


def round_trip(call: dict[str, Any], name: str) -> tuple[Any, Any, dict[str, Any], dict[str, Any]]:
    """A recorded call read and written again: what was asked and told, and its body as it was and as it is written."""
    url = call["request"]["url"].partition("?")[0]
    model = url.rpartition("/")[2].partition(":")[0] if ":" in url.rpartition("/")[2] else ""
    if "/model/" in url:
        model = url.split("/")[-2].replace("%3A", ":")
    at = Path(model=model, action=url.rpartition(":")[2])
    task, body = TASKS[name], call["request"]["body"].encode()
    asked = task.read_request(body, at)
    target = Target(model=model or asked.model)
    losses = Losses()
    written = json.loads(task.write_request(asked, target, losses).body)
    assert list(losses.found) == [], body
    told = task.read_answer(call["response"]["body"].encode(), asked, target)
    sent = {name: value for name, value in json.loads(body).items() if value is not None}
    return asked, told, sent, written
