from __future__ import annotations

import pytest
from tests.endpoints.admin import office as offices
from tests.endpoints.admin.office import Office
from tests.gateway.upstream import Upstream
from tests.served import Serve


@pytest.fixture
def office(serve: Serve, upstream: Upstream) -> Office:
    """Two organisations and their people."""
    return offices.office(serve, upstream)
