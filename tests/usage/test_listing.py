from __future__ import annotations

from dragoman.settings import load_settings
from dragoman.usage.listing import listing
from dragoman.usage.price import Prices


def test_the_catalogue_is_as_large_as_we_say() -> None:
    listed = list(listing(load_settings(None, {}), Prices()))
    assert len(listed) > 1600
    assert len({one.provider for one in listed}) >= 36
    assert not any(one.configured for one in listed)


def test_a_model_says_what_it_costs_and_how_much_it_reads() -> None:
    found = {one.name: one for one in listing(load_settings(None, {}), Prices())}
    one = found["openai/gpt-4o"]
    assert one.context_window == 128_000
    assert one.input_usd_mtok is not None
    assert one.output_usd_mtok is not None
    assert one.input_usd_mtok < one.output_usd_mtok
