"""Counts rows of usage in the metrics."""

from __future__ import annotations

from collections.abc import Sequence

from dragoman.telemetry.metrics import Metrics
from dragoman.usage.row import Cells, reader

# What tells requests apart that are counted separately.
kind_of = reader("endpoint", "provider", "status", "error_code", "cache")
_figures = reader(
    *("total_ms", "overhead_ms", "first_token_ms"),
    *("attempts", "input_tokens", "output_tokens", "cost_nanousd", "saved_nanousd"),
)


def count(metrics: Metrics, rows: Sequence[Cells], deployment: str) -> None:
    """Count requests that are over, and alike: of the first all is taken that the metrics tell requests apart by.

    :param deployment: the label, where clients' own names are few.
    """
    endpoint, provider, status, error_code, cache = kind_of(rows[0])
    metrics.count((endpoint, provider, deployment, status, error_code), map(_figures, rows), cache)
