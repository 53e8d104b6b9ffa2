"""Every operation of the admin API, in one place."""

from __future__ import annotations

from dragoman.endpoints.admin import configs, effective, entities, keys, limits, records, usage
from dragoman.endpoints.admin.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *entities.OPERATIONS,
    *keys.OPERATIONS,
    *limits.OPERATIONS,
    *effective.OPERATIONS,
    *configs.OPERATIONS,
    *usage.OPERATIONS,
    *records.OPERATIONS,
)
