from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.endpoints.admin.office import Office
from tests.gateway.gateway import Gateway, free_port

from dragoman.access.secret import create_secret
from dragoman.endpoints.admin.openapi import ERRORS, PATH, document
from dragoman.endpoints.admin.operation import ROOT
from dragoman.endpoints.admin.table import OPERATIONS

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def test_every_operation_is_in_the_document() -> None:
    told = document(OPERATIONS)
    found = {
        (method.upper(), path, operation["operationId"])
        for path, item in told["paths"].items()
        for method, operation in item.items()
    }
    assert found == {(operation.method, ROOT + operation.path, operation.id) for operation in OPERATIONS}
    assert len({operation.id for operation in OPERATIONS}) == len(OPERATIONS)
    assert told["openapi"] == "3.1.0"


def test_it_says_nothing_that_is_not_there() -> None:
    told = document(OPERATIONS)
    text = json.dumps(told)
    names = set(told["components"]["schemas"])
    referred = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert referred <= names
    for schema in told["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for item in told["paths"].values():
        for operation in item.values():
            assert set(ERRORS) <= set(operation["responses"])


def test_it_needs_no_key(office: Office) -> None:
    answer = office.served.administer("GET", PATH)
    assert (answer.status, answer.json["info"]["title"]) == (200, "Dragoman admin API")


@pytest.mark.parametrize("seed", [1])
def test_nothing_that_is_sent_breaks_it(gateway: Callable[..., Gateway], tmp_path: Path, seed: int) -> None:
    secret, port = create_secret(), free_port()
    keys = [{"name": "root", "secret": secret, "admin": True}]
    config: dict[str, Any] = {"rehearsal": {"enabled": True}, "keys": keys, "admin": {"enabled": True, "port": port}}
    running = gateway(config)
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{port}{PATH}"]
    command += ["--header", f"authorization: Bearer {secret}", "--checks", CHECKS, "--seed", str(seed)]
    command += ["--max-examples", "15", "--no-color", "--suppress-health-check", "all", "--warnings", "off"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert f"Tested: {len(OPERATIONS)}" in done.stdout
    assert secret not in running.output
