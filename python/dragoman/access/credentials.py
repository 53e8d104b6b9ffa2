"""Where a client may have put its key: every place that OpenAI's SDK and the gateways people come from use."""

from __future__ import annotations

from dragoman.errors import InvalidRequest

# Tried in this order; all that are present must agree.
HEADERS = (
    "authorization",
    "x-api-key",
    "api-key",
    "x-dragoman-key",
    "x-litellm-api-key",
    "x-portkey-api-key",
    "cf-aig-authorization",
    "helicone-auth",
    "x-goog-api-key",
)


def presented_key(headers: dict[str, str]) -> str:
    """The key that a request presents; empty where there is none.

    Raises:
        InvalidRequest: two headers present different keys, or one came twice.
    """
    found = ""
    for name in HEADERS:
        value = headers.get(name)
        if not value:
            continue
        key = value[7:].strip() if value[:7].lower() == "bearer " else value.strip()
        if "," in key or (found and key != found):  # a comma: the header came twice
            raise InvalidRequest("More than one key is presented.", code="ambiguous_key", param=name)
        found = key
    return found
