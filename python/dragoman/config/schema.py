"""The configuration as types. What is written here is what a file may say; anything else is refused.

Every field has a default that is right for one process on one machine. Units are in the names. The text beside a type
is the field's documentation: the JSON Schema for editors and the commented example are made from it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from dragoman.config.auditing import Audit
from dragoman.config.aws import Aws
from dragoman.config.caching import Cache, CacheMode, Semantic
from dragoman.config.guards import Guardrail
from dragoman.config.limiting import Accounting, Dollars, Limit, Per
from dragoman.config.part import Part
from dragoman.config.prompting import Prompting
from dragoman.config.queueing import Queue
from dragoman.config.sharing import Redis
from dragoman.config.signing_in import Identity

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
PositiveInt = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
Port = Annotated[int, Meta(ge=0, le=65535)]
DialectName = Literal[
    "openai_chat",
    "openai_completions",
    "openai_embeddings",
    "openai_responses",
    "anthropic",
    "gemini",
    "bedrock",
    "bedrock_invoke",
    "vertex_claude",
    "watsonx",
    "cohere",
    "ollama",
    "cohere_embed",
    "cohere_rerank",
    "gemini_embed",
    "vertex_predict",
    "bedrock_embed",
    "rerank",
    "voyage_rerank",
]
Strategy = Literal["latency", "weighted", "least_busy", "cheapest", "priority", "session"]


class Timeouts(Part, frozen=True, kw_only=True):
    """How long an attempt may take, each stage apart."""

    connect_s: Annotated[Positive, "name resolution, TCP and TLS"] = 3.0
    first_byte_s: Annotated[Positive, "from the request sent to the first byte of the answer"] = 120.0
    idle_s: Annotated[Positive, "silence between two bytes of the answer"] = 60.0
    total_s: Annotated[Positive, "the whole attempt"] = 600.0


class Google(Part, frozen=True, kw_only=True):
    """Who the gateway is to Google Cloud. With nothing, the application default credentials."""

    file: Annotated[str, "a service account's JSON, or any file that Google's libraries read"] = ""


class Entra(Part, frozen=True, kw_only=True):
    """Who the gateway is to Azure. With nothing, AZURE_... of the environment, or the machine's managed identity."""

    tenant_id: Annotated[str, "the directory"] = ""
    client_id: Annotated[str, "the application, or a managed identity of several"] = ""
    client_secret: Annotated[str, "better as ${VAR} or ${file:/path}"] = ""
    authority: Annotated[str, "empty: https://login.microsoftonline.com"] = ""


class Ibm(Part, frozen=True, kw_only=True):
    """Who the gateway is to IBM Cloud: what a key of watsonx is taken as."""

    api_key: Annotated[str, "better as ${VAR} or ${file:/path}"] = ""
    authority: Annotated[str, "empty: https://iam.cloud.ibm.com"] = ""


class Credential(Part, frozen=True, kw_only=True):
    """One key of a provider, or another identity. Several rotate, and cool down apart."""

    key: Annotated[str, "the provider's key, better as ${VAR} or ${file:/path}"] = ""
    aws: Annotated[Aws | None, "instead of a key"] = None
    google: Annotated[Google | None, "instead of a key"] = None
    entra: Annotated[Entra | None, "instead of a key"] = None
    ibm: Annotated[Ibm | None, "instead of a key"] = None
    name: Annotated[str, "shown instead of the key; empty: its position"] = ""
    weight: Annotated[Positive, "its share of the requests"] = 1.0

    @property
    def identities(self) -> dict[str, Aws | Google | Entra | Ibm]:
        """What is given instead of a key, by its kind."""
        given = {"aws": self.aws, "google": self.google, "entra": self.entra, "ibm": self.ibm}
        return {kind: identity for kind, identity in given.items() if identity is not None}


class Price(Part, frozen=True, kw_only=True):
    """An operator's own price, in US dollars a million tokens; overrides the catalogue."""

    input_usd_mtok: Annotated[NotNegative, "a million input tokens"]
    output_usd_mtok: Annotated[NotNegative, "a million output tokens"]
    cached_input_usd_mtok: Annotated[NotNegative | None, "a million read from a cache; null: as input"] = None
    cache_write_usd_mtok: Annotated[NotNegative | None, "a million written to a cache; null: as input"] = None
    cache_write_1h_usd_mtok: Annotated[NotNegative | None, "to be kept for an hour; null: as other writes"] = None
    reasoning_usd_mtok: Annotated[NotNegative | None, "a million thought; null: as output"] = None
    audio_input_usd_mtok: Annotated[NotNegative | None, "a million heard; null: as input"] = None
    audio_output_usd_mtok: Annotated[NotNegative | None, "a million spoken; null: as output"] = None
    cached_audio_usd_mtok: Annotated[NotNegative | None, "a million heard from a cache; null: as cached input"] = None
    image_input_usd_mtok: Annotated[NotNegative | None, "a million seen; null: as input"] = None
    image_output_usd_mtok: Annotated[NotNegative | None, "a million drawn; null: as output"] = None


class Provider(Part, frozen=True, kw_only=True):
    """Where requests are sent, and with which keys."""

    kind: Annotated[str, "a row of the catalogue; empty: the provider's own name"] = ""
    base_url: Annotated[str, "empty: the catalogue's"] = ""
    api_key: Annotated[str, "shorthand for one credential; with none and no base_url, the kind's variable is read"] = ""
    credentials: Annotated[tuple[Credential, ...], "keys that take turns"] = ()
    headers: Annotated[dict[str, str], "sent with every request"] = {}
    body: Annotated[dict[str, Any], "fields that every request's JSON gets, such as watsonx's project_id"] = {}
    timeouts: Annotated[Timeouts | None, "null: those of defaults"] = None
    allow_private: Annotated[bool, "may connect to loopback, private and link-local addresses"] = False
    http2: Annotated[bool, "offer HTTP/2"] = True
    proxy: Annotated[str, 'empty: HTTPS_PROXY, HTTP_PROXY and NO_PROXY; "none": no proxy'] = ""
    ca_file: Annotated[str, "certificates in PEM to trust as well; empty: the platform's alone"] = ""
    pins: Annotated[tuple[str, ...], "the only keys that its servers may have, as sha256/<base64>; empty: any"] = ()
    domain: Annotated[str, "what fails together; empty: the kind's, or with its own base_url the provider's name"] = ""
    dialects: Annotated[tuple[DialectName, ...], "what it speaks, best first; empty: the kind's"] = ()


class Deployment(Part, frozen=True, kw_only=True):
    """A model at a provider, as one target of routing."""

    provider: Annotated[str, "a name under providers"]
    model: Annotated[str, "the provider's name for the model"]
    credentials: Annotated[tuple[str, ...], "names; empty: all of the provider's"] = ()
    base_url: Annotated[str, "empty: the provider's"] = ""
    region: Annotated[str, "where it runs, for the record and as a failure domain"] = ""
    domain: Annotated[str, "what fails together; empty: the provider's, with the region"] = ""
    weight: Annotated[Positive, "its share among its tier"] = 1.0
    max_concurrent: Annotated[PositiveInt | None, "requests at once; null: no limit"] = None
    timeouts: Annotated[Timeouts | None, "null: the provider's"] = None
    price: Annotated[Price | None, "null: the catalogue's"] = None
    tokenizer: Annotated[str, "an encoding's name or a tokenizer.json; empty: by the model's name"] = ""


class Hedge(Part, frozen=True, kw_only=True):
    """A second attempt beside a slow first one."""

    percentile: Annotated[float, Meta(gt=0.5, lt=1), "slow means slower than this share of the recent"] = 0.95
    min_delay_s: Annotated[Positive, "never sooner than this"] = 0.2
    max_extra_share: Annotated[float, Meta(gt=0, le=0.2), "at most this share of the requests"] = 0.02


class Route(Part, frozen=True, kw_only=True):
    """What an alias stands for: tiers of deployments, tried in order."""

    tiers: Annotated[tuple[tuple[str, ...], ...], 'names under deployments, or "provider/model"']
    strategy: Annotated[Strategy, "how one is chosen within a tier"] = "latency"
    session_by: Annotated[Literal["key", "end_user", "session"], "what the session strategy keeps together"] = "session"
    retries: Annotated[Count | None, "null: those of defaults"] = None
    timeout_s: Annotated[Positive | None, "the whole request; null: the deadline of defaults"] = None
    hedge: Annotated[Hedge | None, "null: none"] = None
    cache: Annotated[CacheMode | None, "whether answers are kept; null: as cache.mode says"] = None
    semantic: Annotated[Semantic | None, "questions in other words get these answers as well; null: not"] = None


class Defaults(Part, frozen=True, kw_only=True):
    """What holds where a route or a request says nothing else."""

    timeouts: Annotated[Timeouts, "of one attempt"] = Timeouts()
    deadline_s: Annotated[Positive, "a whole request, with all its attempts"] = 600.0
    retries: Annotated[int, Meta(ge=0, le=10), "further attempts after a failed one"] = 2
    retry_budget: Annotated[float, Meta(ge=0, le=1), "retries may add this share to the load, no more"] = 0.1
    retry_after_max_s: Annotated[Positive, "a longer Retry-After is not waited for: the next deployment is tried"] = 2.0
    strategy: Annotated[Strategy, "for models that no route names"] = "latency"
    lossy: Annotated[Literal["allow", "meaning", "strict"], "what a provider cannot carry: refused if strict"] = (
        "meaning"
    )


class Key(Part, frozen=True, kw_only=True):
    """A virtual key declared in the file: its secret (``dgk_...``) or the hash that ``dragoman keys create`` shows."""

    name: Annotated[str, "unique; shown instead of the secret"]
    secret: Annotated[str, "dgk_..., better as ${VAR} or ${file:/path}"] = ""
    hash: Annotated[str, "instead of the secret"] = ""
    allow: Annotated[tuple[str, ...], "aliases it may use; * and ? are wild"] = ("*",)
    admin: Annotated[bool, "may use the operator's endpoints"] = False
    expires: Annotated[str, "RFC 3339; empty: never"] = ""
    organisation: Annotated[str, "whose usage it is"] = ""
    team: Annotated[str, "whose usage it is"] = ""
    user: Annotated[str, "whose usage it is"] = ""
    app: Annotated[str, "whose usage it is"] = ""
    tags: Annotated[tuple[str, ...], "recorded with each request"] = ()
    max_deadline_s: Annotated[Positive | None, "the longest a request may ask for; null: that of defaults"] = None
    max_retries: Annotated[Count | None, "the most a request may ask for; null: those of defaults"] = None
    allow_fallbacks: Annotated[bool, "may name fallbacks in the request"] = True
    allow_no_log: Annotated[bool, "may ask that a request is not logged"] = False
    allow_cache_knobs: Annotated[bool, "may say in a request how its answer is cached"] = True
    lossy: Annotated[Literal["", "allow", "meaning", "strict"], "no laxer than this; empty: that of defaults"] = ""
    budget_usd: Annotated[Dollars | None, "what it may spend; null: what the limits allow"] = None
    budget_per: Annotated[Per, "how often that is given anew"] = "month"
    requests_per_minute: Annotated[PositiveInt | None, "null: what the limits allow"] = None
    tokens_per_minute: Annotated[PositiveInt | None, "of prompts and answers; null: what the limits allow"] = None
    max_concurrent: Annotated[PositiveInt | None, "requests at once; null: what the limits allow"] = None
    max_request_usd: Annotated[Dollars | None, "what one request may come to; null: anything"] = None
    ip_ranges: Annotated[tuple[str, ...], "where it may be used from, such as 10.0.0.0/8; empty: anywhere"] = ()
    surfaces: Annotated[tuple[str, ...], "what it may ask for, such as chat; * and ? are wild; empty: everything"] = ()
    models: Annotated[tuple[str, ...], "provider/model that its requests may reach; * and ? are wild"] = ("*",)
    providers: Annotated[tuple[str, ...], "that its requests may reach; * and ? are wild"] = ("*",)
    mcp_servers: Annotated[tuple[str, ...], "tool servers (MCP) that it may call; * and ? are wild"] = ("*",)
    without_guardrails: Annotated[tuple[str, ...], "guardrails that its requests are spared; * and ? are wild"] = ()
    role: Annotated[str, "what it may do by the admin API: admin, viewer, ...; empty: nothing"] = ""


class Limits(Part, frozen=True, kw_only=True):
    """What one request, and all together, may ask of the server."""

    max_body_bytes: Annotated[PositiveInt, "a request's body; more is a 413"] = 20 * 1024 * 1024
    max_json_depth: Annotated[PositiveInt, "nesting of a request's JSON"] = 128
    max_header_bytes: Annotated[int, Meta(ge=8192), "all headers of a request; more is a 431"] = 64 * 1024
    max_headers: Annotated[PositiveInt, "headers of a request; more is a 431"] = 100
    header_timeout_s: Annotated[Positive, "for all headers to arrive"] = 10.0
    body_timeout_s: Annotated[Positive, "for the whole body to arrive; longer is a 408"] = 60.0
    body_min_bytes_s: Annotated[PositiveInt, "the slowest pace of a body, after a grace of 5 s"] = 1024
    max_concurrent: Annotated[PositiveInt, "requests at once; more are a 503"] = 4096
    max_connections: Annotated[PositiveInt, "client connections at once"] = 16384
    stream_outstanding_bytes: Annotated[PositiveInt, "sent to a slow client and not taken, per stream"] = 256 * 1024
    write_timeout_s: Annotated[Positive, "a client that takes nothing for so long is gone"] = 60.0
    heartbeat_s: Annotated[Positive, "a comment after so long a silence on a stream"] = 15.0
    max_answer_bytes: Annotated[PositiveInt, "a provider's whole answer"] = 64 * 1024 * 1024
    max_event_bytes: Annotated[PositiveInt, "one event of a provider's stream"] = 4 * 1024 * 1024
    max_held_bytes: Annotated[PositiveInt, "a stream that guardrails hold until it is whole"] = 4 * 1024 * 1024


class Server(Part, frozen=True, kw_only=True):
    """The listener."""

    host: Annotated[str, "anything but loopback needs at least one virtual key"] = "127.0.0.1"
    port: Annotated[Port, "0: any free one"] = 8080
    workers: Annotated[int, Meta(ge=1, le=256), "processes; several need redis and a store.url of PostgreSQL"] = 1
    limits: Annotated[Limits, "what one request, and all together, may ask"] = Limits()
    drain_s: Annotated[Positive, "for running requests to end after SIGTERM"] = 30.0
    silent_s: Annotated[NotNegative, "a worker whose event loop stands still for so long is replaced; 0: never"] = 20.0
    log_level: Annotated[Literal["debug", "info", "warning", "error"], "what is logged"] = "info"
    metrics: Annotated[bool, "serve /metrics"] = True
    http2: Annotated[bool, "HTTP/2 without TLS as well; header_timeout_s does not hold for it"] = False
    relay: Annotated[Literal["direct", "pump"], "pump: granian takes all connections, and the event loop answers"] = (
        "direct"
    )


class Admin(Part, frozen=True, kw_only=True):
    """The admin API, on a listener of its own. It always needs a key with a role."""

    enabled: Annotated[bool, "serve it"] = True
    host: Annotated[str, "where it is listened on"] = "127.0.0.1"
    port: Annotated[Port | None, "null: the one after server.port, if that is free"] = None
    bootstrap: Annotated[bool, "make an admin key at the first start, and print it once"] = True


class Store(Part, frozen=True, kw_only=True):
    """Where keys and usage are kept."""

    url: Annotated[str, "empty: sqlite:///<data_dir>/dragoman.db"] = ""
    data_dir: Annotated[str, "empty: $XDG_DATA_HOME/dragoman or ~/.local/share/dragoman"] = ""
    last_good_hours: Annotated[
        NotNegative,
        "how old keys may be that a start goes by while PostgreSQL is away; 0: it fails",
    ] = 0.0
    usage_queue: Annotated[PositiveInt, "rows waiting to be written, at most"] = 65536
    usage_retention_days: Annotated[PositiveInt, "older usage is deleted"] = 400
    continuity_hours: Annotated[
        NotNegative, "what models proved of their turns is kept for clients that do not; 0: none"
    ] = 24.0
    idempotency_hours: Annotated[
        NotNegative, "answers to requests with an Idempotency-Key are kept so long; 0: none"
    ] = 24.0
    responses_retention_days: Annotated[NotNegative, "stored responses (store: true) are kept so long; 0: none"] = 30


class Rehearsal(Part, frozen=True, kw_only=True):
    """The provider that needs no network."""

    enabled: Annotated[bool | None, "null: only while no other provider is configured"] = None
    time_to_first_token_s: Annotated[NotNegative, "how soon it begins to answer"] = 0.15
    tokens_per_s: Annotated[Positive, "how fast it streams"] = 80.0
    seed: Annotated[int, "another seed, other answers"] = 0
    recordings: Annotated[str, "a file of recorded answers, JSON lines or gzipped, to be replayed by id"] = ""
    price: Annotated[Price | None, "null: it is free"] = None
    script: Annotated[dict[str, Any], "how every request is played, faults too: rehearsal/script.py's fields"] = {}


class Config(Part, frozen=True, kw_only=True):
    """A whole file."""

    server: Annotated[Server, "the listener"] = Server()
    admin: Annotated[Admin, "the admin API"] = Admin()
    store: Annotated[Store, "where keys and usage are kept"] = Store()
    redis: Annotated[Redis | None, "where several processes and servers count together; null: there is one"] = None
    defaults: Annotated[Defaults, "what holds where a route or a request says nothing else"] = Defaults()
    providers: Annotated[dict[str, Provider], "where requests are sent, by name"] = {}
    deployments: Annotated[dict[str, Deployment], "models at providers, by name"] = {}
    routes: Annotated[dict[str, Route], "what each alias stands for"] = {}
    prompts: Annotated[Prompting, "templates, what is put around prompts, and what requests may ask for"] = Prompting()
    cache: Annotated[Cache, "answers that are kept, to be given again"] = Cache()
    guardrails: Annotated[dict[str, Guardrail], "what is looked for in requests and answers, by name"] = {}
    limits: Annotated[dict[str, Limit], "rate limits and budgets, by name"] = {}
    queue: Annotated[Queue, "the line before deployments that are full"] = Queue()
    ledger: Annotated[Accounting, "how limits are counted"] = Accounting()
    identity: Annotated[Identity, "who says who people are: single sign-on and tokens"] = Identity()
    audit: Annotated[Audit, "the record of every request and of every act of an operator"] = Audit()
    keys: Annotated[tuple[Key, ...], "virtual keys; more are made with dragoman keys create"] = ()
    rehearsal: Annotated[Rehearsal, "the provider that needs no network"] = field(default_factory=Rehearsal)
