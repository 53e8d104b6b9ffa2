from __future__ import annotations

from pathlib import Path as File

import pytest
from tests.dialects.tasks.traffic import calls, round_trip


@pytest.mark.recorded
def test_recorded(recorded: File) -> None:
    for call in calls(recorded, "api.cohere.com/v2/rerank"):
        asked, told, sent, written = round_trip(call, "cohere_rerank")
        assert written == sent
        assert 0 < len(told.places) <= len(asked.documents)
        assert (told.searches, told.usage) == (1, None)
