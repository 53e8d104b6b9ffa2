"""What tokens cost, in integer nano-dollars.

The prices are those of ``genai-prices``, whose own calculation costs 250 us a request, in decimals. Here a model's
prices are read once into integers (nano-dollars a million tokens), and a request costs a handful of multiplications,
in Rust (:class:`dragoman.core.Rates`). A test holds both to agree within a nano-dollar.

A token has one price, that of its most particular kind that has one: a cached input token costs the cached rate, or the
input rate where the model has no cached one. Token kinds are subsets (``Tokens``): what is left of ``input`` after the
cached, cache-written and audio tokens is plain input. Where a model has tiers, the number of input tokens chooses the
tier, and all tokens pay its prices (not only those above). Web searches and the like are not counted, so not priced.

A model that is not known, or has no price for tokens, is *unpriced*: None, and never 0, which is what a free one costs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from msgspec import Struct
from msgspec.structs import astuple

from dragoman.config.schema import Price
from dragoman.core import Rates as CoreRates
from dragoman.usage.row import Tokens

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelPrice, TieredPrices

_MTOK = 1_000_000
_NANO = 1_000_000_000
_MAX_REMEMBERED = 4096  # model names may come from clients: what is remembered of them is bounded
_MAX_MODEL_LENGTH = 256
_CHANGES_EVERY_S = 900.0

# Field of Rate -> name in genai-prices.
_MTOK_PRICES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cached_input": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "reasoning": "output_reasoning_mtok",
    "audio_input": "input_audio_mtok",
    "audio_output": "output_audio_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "cached_audio": "cache_audio_read_mtok",
    "image_input": "input_image_mtok",
    "image_output": "output_image_mtok",
}
_REQUEST_PRICE = "requests_kcount"
_REQUESTS_A_PRICE = 1000


class Rate(Struct, frozen=True):
    """Nano-dollars a million tokens of each kind; None: the kind has no price of its own, its parent's holds."""

    input: int = 0
    output: int = 0
    cached_input: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    audio_input: int | None = None
    audio_output: int | None = None
    cache_write_1h: int | None = None
    cached_audio: int | None = None
    image_input: int | None = None
    image_output: int | None = None
    request: int = 0  # nano-dollars a million requests


class Tier(NamedTuple):
    """The rate for requests with more input tokens than ``above``."""

    above: int
    rate: Rate


class Rates(Struct, frozen=True, dict=True):
    """A model's prices: the rate, and the tiers that replace it, lowest first."""

    rate: Rate
    tiers: tuple[Tier, ...] = ()

    @cached_property
    def core(self) -> CoreRates:
        """The same, as Rust has them."""
        return CoreRates(astuple(self.rate), [(tier.above, astuple(tier.rate)) for tier in self.tiers])

    def cost(self, tokens: Tokens) -> int:
        """Nano-dollars, rounded half up once, at the end.

        Kinds that add up to more than the whole (a provider's mistake) never cost more tokens than the whole has.
        """
        return self.core.cost(astuple(tokens))

    def _rate(self, tokens: Tokens) -> Rate:
        rate = self.rate
        for tier in self.tiers:
            if tokens.input > tier.above:
                rate = tier.rate
        return rate

    def ceilings(self) -> list[Ceiling]:
        """The highest prices that a token may have, tier by tier, as :class:`~dragoman.core.Pricing` takes them."""
        return [_ceiling(0, self.rate), *(_ceiling(tier.above, tier.rate) for tier in self.tiers)]

    def most(self, tokens: Tokens, *, cached: bool, heard: bool) -> int:
        """Nano-dollars that so many tokens come to at most, whatever kinds they turn out to be of.

        :param cached: some may be written to a cache.
        :param heard: some may be audio.
        """
        _, request, given, answered = _ceiling(0, self._rate(tokens))
        total = request + tokens.input * given[cached][heard] + tokens.output * answered[heard]
        return (total + _MTOK - 1) // _MTOK


Ceiling = tuple[int, int, tuple[tuple[int, int], tuple[int, int]], tuple[int, int]]


def _ceiling(above: int, rate: Rate) -> Ceiling:
    given = max(rate.input, rate.image_input or 0)
    written = max(given, rate.cache_write or 0, rate.cache_write_1h or 0)
    heard, spoken = rate.audio_input or 0, rate.audio_output or 0
    answered = max(rate.output, rate.reasoning or 0, rate.image_output or 0)
    both = (given, max(given, heard)), (written, max(written, heard))
    return above, rate.request, both, (answered, max(answered, spoken))


def rates_of(price: Price) -> Rates:
    """The rates of an operator's own price."""
    told = {name: getattr(price, f"{name}_usd_mtok") for name in _MTOK_PRICES}
    return Rates(Rate(**{name: _nanousd(value) for name, value in told.items() if value is not None}))


class Fixed(Struct, frozen=True):
    """Finds rates that never change; equal to others that find the same."""

    rates: Rates | None
    until_s: ClassVar[float] = math.inf

    def __call__(self) -> Rates | None:
        """The rates; ``None``: unpriced."""
        return self.rates


UNPRICED = Fixed(None)


class KnownModel(NamedTuple):
    """A model of the catalogue. ``rates`` is None for one that has no price for tokens."""

    provider: str
    model: str
    context_window: int | None
    rates: Rates | None


class Prices:
    """The catalogue, and what was looked up in it.

    It is imported at the first look-up (0.2 s, 15 MB): call ``load`` in a thread beforehand where that matters. Some
    prices hold from a day on, some at hours of the day: what was looked up is forgotten every quarter of an hour, on
    which all of them begin and end. So resolve for each request (0.3 us), or keep the answer until ``until_s``.
    """

    def __init__(self, wall_s: Callable[[], float] = time.time) -> None:
        self._wall_s = wall_s
        self._known: dict[tuple[str, str, Price | None], Rates | None] = {}
        self._known_until_s = 0.0

    def load(self) -> None:
        """Import the catalogue now."""
        _catalogue()

    def resolve(self, provider: str, model: str, override: Price | None = None) -> Rates | None:
        """The rates of a model at this time; None when it is unpriced.

        ``provider`` is the provider's id in genai-prices, ``model`` what the provider is asked for; ``override``, the
        operator's own price, beats the catalogue.
        """
        now_s = self._wall_s()
        if now_s >= self._known_until_s or len(self._known) >= _MAX_REMEMBERED:
            self._known.clear()
            self._known_until_s = _next_change_s(now_s)
        key = (provider, model, override)
        try:
            return self._known[key]
        except KeyError:
            found = _look_up(provider, model, now_s) if override is None else rates_of(override)
            self._known[key] = found
            return found

    @property
    def until_s(self) -> float:
        """Until which Unix time what is resolved now holds."""
        return _next_change_s(self._wall_s())

    def finder(self, provider: str, model: str) -> Finder:
        """What finds the rates of a model of the catalogue."""
        return Finder(self, provider, model)

    def models(self) -> Iterator[KnownModel]:
        """Every model of the catalogue, by provider."""
        now = datetime.fromtimestamp(self._wall_s(), UTC)
        for provider in _catalogue().providers:
            for model in provider.models:
                yield KnownModel(provider.id, model.id, model.context_window, _rates(model.get_prices(now)))


class Finder(Struct, frozen=True):
    """Finds the rates of a model of the catalogue as they are when it is asked; equal to others that find the same."""

    prices: Prices
    provider: str
    model: str

    def __call__(self) -> Rates | None:
        """The rates; ``None``: unpriced."""
        return self.prices.resolve(self.provider, self.model)

    @property
    def until_s(self) -> float:
        """Until which Unix time they hold."""
        return self.prices.until_s


def _next_change_s(now_s: float) -> float:
    return now_s - now_s % _CHANGES_EVERY_S + _CHANGES_EVERY_S


def _catalogue() -> DataSnapshot:
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot()


def _look_up(provider_id: str, model: str, now_s: float) -> Rates | None:
    """Past the library's own memory of look-ups, which grows with every name that a client makes up."""
    if not provider_id or len(model) > _MAX_MODEL_LENGTH:
        return None
    from genai_prices.data_snapshot import find_provider_by_id

    providers = _catalogue().providers
    provider = find_provider_by_id(providers, provider_id)
    found = provider.find_model(model, all_providers=providers) if provider is not None else None
    return None if found is None else _rates(found.get_prices(datetime.fromtimestamp(now_s, UTC)))


def _rates(prices: ModelPrice) -> Rates | None:
    from genai_prices.types import TieredPrices

    priced = {field: value for field, name in _MTOK_PRICES.items() if (value := getattr(prices, name)) is not None}
    request = getattr(prices, _REQUEST_PRICE)
    if not priced and request is None:
        return None
    tiered = [value for value in priced.values() if isinstance(value, TieredPrices)]
    starts = sorted({tier.start for value in tiered for tier in value.tiers})
    request_rate = 0 if request is None else _nanousd(request) * _REQUESTS_A_PRICE
    tiers = tuple(Tier(start, _rate_from(priced, start, request_rate)) for start in starts)
    return Rates(_rate_from(priced, -1, request_rate), tiers)


def _rate_from(priced: dict[str, Decimal | TieredPrices], start: int, request_rate: int) -> Rate:
    """The rate that holds from the tier ``start`` on; -1: below every tier."""
    fields = {field: _nanousd(_price_from(value, start)) for field, value in priced.items()}
    return Rate(**fields, request=request_rate)


def _price_from(price: Decimal | TieredPrices, start: int) -> Decimal:
    if isinstance(price, Decimal):
        return price
    held = price.base
    for tier in price.tiers:
        if tier.start <= start:
            held = tier.price
    return held


def _nanousd(usd: Decimal | float) -> int:
    """Dollars as nano-dollars. A float stands for the decimal that it prints as."""
    return int((Decimal(str(usd)) * _NANO).to_integral_value(ROUND_HALF_UP))
