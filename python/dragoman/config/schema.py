"""The configuration as types. What is written here is what a file may say; anything else is refused.

Every field has a default that is right for one process on one machine. Units are in the names.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
PositiveInt = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
Strategy = Literal["latency", "weighted", "least_busy", "cheapest", "priority", "session"]


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One mapping of the file."""


class Timeouts(Part):
    """How long an attempt may take, each stage apart."""

    connect_s: Positive = 3.0
    first_byte_s: Positive = 120.0
    idle_s: Positive = 60.0
    total_s: Positive = 600.0


class Credential(Part):
    """One key of a provider. Several rotate, and cool down apart."""

    key: str
    name: str = ""
    weight: Positive = 1.0


class Price(Part):
    """An operator's own price, in US dollars a million tokens; overrides the catalogue."""

    input_usd_mtok: NotNegative
    output_usd_mtok: NotNegative
    cached_input_usd_mtok: NotNegative | None = None
    cache_write_usd_mtok: NotNegative | None = None


class Provider(Part):
    """Where requests are sent, and with which keys."""

    kind: str = ""  # a row of the catalogue; empty: the provider's own name
    base_url: str = ""  # empty: the catalogue's
    api_key: str = ""  # shorthand for one credential
    credentials: tuple[Credential, ...] = ()
    headers: dict[str, str] = {}
    timeouts: Timeouts | None = None
    allow_private: bool = False  # may connect to loopback, private and link-local addresses
    http2: bool = True
    proxy: str = ""  # empty: HTTPS_PROXY, HTTP_PROXY and NO_PROXY; "none": no proxy
    ca_file: str = ""  # PEM; empty: the platform's roots
    domain: str = ""  # what fails together; empty: the provider's name


class Deployment(Part):
    """A model at a provider, as one target of routing."""

    provider: str
    model: str
    credentials: tuple[str, ...] = ()  # names; empty: all of the provider's
    base_url: str = ""
    region: str = ""
    domain: str = ""  # empty: the provider's, with the region
    weight: Positive = 1.0
    max_concurrent: PositiveInt | None = None
    timeouts: Timeouts | None = None
    price: Price | None = None
    tokenizer: str = ""  # an encoding's name or a tokenizer.json; empty: by the model's name


class Hedge(Part):
    """A second attempt beside a slow first one."""

    percentile: Annotated[float, Meta(gt=0.5, lt=1)] = 0.95
    min_delay_s: Positive = 0.2
    max_extra_share: Annotated[float, Meta(gt=0, le=0.2)] = 0.02


class Route(Part):
    """What an alias stands for: tiers of deployments, tried in order."""

    tiers: tuple[tuple[str, ...], ...]
    strategy: Strategy = "latency"
    session_by: Literal["key", "end_user", "session"] = "session"
    retries: Count | None = None
    timeout_s: Positive | None = None
    hedge: Hedge | None = None


class Defaults(Part):
    """What holds where a route or a request says nothing else."""

    timeouts: Timeouts = Timeouts()
    deadline_s: Positive = 600.0
    retries: Annotated[int, Meta(ge=0, le=10)] = 2
    retry_budget: Annotated[float, Meta(ge=0, le=1)] = 0.1
    retry_after_max_s: Positive = 2.0  # a longer Retry-After is not waited for: the next deployment is tried
    strategy: Strategy = "latency"


class Key(Part):
    """A virtual key declared in the file: its secret (``dgk_...``) or the hash that ``dragoman keys create`` shows."""

    name: str
    secret: str = ""
    hash: str = ""
    allow: tuple[str, ...] = ("*",)  # aliases; * and ? are wild
    admin: bool = False
    expires: str = ""  # RFC 3339
    organisation: str = ""
    team: str = ""
    user: str = ""
    app: str = ""
    tags: tuple[str, ...] = ()
    max_deadline_s: Positive | None = None
    max_retries: Count | None = None
    allow_fallbacks: bool = True  # may name fallbacks in the request
    allow_no_log: bool = False


class Limits(Part):
    """What one request, and all together, may ask of the server."""

    max_body_bytes: PositiveInt = 20 * 1024 * 1024
    max_json_depth: PositiveInt = 128
    max_header_bytes: PositiveInt = 64 * 1024
    max_headers: PositiveInt = 100
    body_timeout_s: Positive = 60.0
    body_min_bytes_s: PositiveInt = 1024  # after a grace of 5 s
    max_concurrent: PositiveInt = 4096
    max_connections: PositiveInt = 16384
    stream_outstanding_bytes: PositiveInt = 256 * 1024
    write_timeout_s: Positive = 60.0
    heartbeat_s: Positive = 15.0
    max_answer_bytes: PositiveInt = 64 * 1024 * 1024
    max_event_bytes: PositiveInt = 4 * 1024 * 1024


class Server(Part):
    """The listener."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    limits: Limits = Limits()
    drain_s: Positive = 30.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    metrics: bool = True


class Store(Part):
    """Where keys and usage are kept."""

    url: str = ""  # empty: sqlite:///<data_dir>/dragoman.db
    data_dir: str = ""  # empty: $XDG_DATA_HOME/dragoman or ~/.local/share/dragoman
    usage_queue: PositiveInt = 65536
    usage_retention_days: PositiveInt = 400


class Rehearsal(Part):
    """The provider that needs no network."""

    enabled: bool | None = None  # None: only while no other provider is configured
    time_to_first_token_s: NotNegative = 0.15
    tokens_per_s: Positive = 80.0
    seed: int = 0


class Config(Part):
    """A whole file."""

    server: Server = Server()
    store: Store = Store()
    defaults: Defaults = Defaults()
    providers: dict[str, Provider] = {}
    deployments: dict[str, Deployment] = {}
    routes: dict[str, Route] = {}
    keys: tuple[Key, ...] = ()
    rehearsal: Rehearsal = field(default_factory=Rehearsal)
