from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from dragoman.dialects.ids import NINE, PLAIN, TOOL_NAME, fitted_id, fitted_name, nine_characters


@given(call_id=st.text(max_size=100), limit=st.sampled_from([40, 64]))
def test_an_id_fits_and_is_always_the_same(call_id: str, limit: int) -> None:
    fitted = fitted_id(call_id, limit)
    assert PLAIN.fullmatch(fitted)
    assert len(fitted) <= limit
    assert fitted == fitted_id(call_id, limit) == fitted_id(fitted, limit)


def test_an_id_that_fits_is_kept() -> None:
    assert fitted_id("toolu_01A-b") == "toolu_01A-b"
    assert fitted_id("x" * 64) == "x" * 64
    assert fitted_id("x" * 65) != "x" * 65


@given(st.text(max_size=60))
def test_edge_37_an_id_for_mistral_has_nine_characters(call_id: str) -> None:
    nine = nine_characters(call_id)
    assert NINE.fullmatch(nine)
    assert nine_characters(nine) == nine == nine_characters(call_id)


def test_ids_stay_apart() -> None:
    ids = [f"call_{number}" for number in range(20_000)]
    assert len({nine_characters(one) for one in ids}) == len(ids)
    assert len({fitted_id(one + "x" * 64) for one in ids}) == len(ids)


@given(st.text(max_size=100))
def test_a_name_fits_and_can_be_read(name: str) -> None:
    fitted = fitted_name(name)
    assert TOOL_NAME.fullmatch(fitted)
    assert fitted_name(fitted) == fitted


def test_names_that_look_alike_stay_apart() -> None:
    assert fitted_name("get.weather") != fitted_name("get:weather")
    assert re.fullmatch(r"get_weather_[0-9a-f]{8}", fitted_name("get.weather"))
