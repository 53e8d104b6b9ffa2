"""The configuration explained, made from the types: a JSON Schema for editors and a commented file to start from.

Both are generated so that neither can fall behind: the text beside each type in :mod:`.schema` is the description here
and the comment there. Of the file, only the example at its end is written by hand; a test loads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from dragoman.config.part import Part
from dragoman.config.schema import Config

EXAMPLE = """\
# Where requests are sent. A kind of provider that is in the catalogue needs no more than its key, and with its key in
# the environment nothing at all. `dragoman check` shows what was understood, `dragoman models` the models.
#
#providers:
#  openai:
#    api_key: ${OPENAI_API_KEY}
#  anthropic:
#    credentials:                       # several take turns, and cool down apart
#      - {name: first, key: "${ANTHROPIC_API_KEY}"}
#      - {name: second, key: "${file:/run/secrets/anthropic}"}
#  ours:
#    base_url: http://10.0.0.7:8000/v1  # any server that speaks OpenAI's dialect
#    allow_private: true
#
# Models at providers, where "provider/model" alone does not say enough.
#
#deployments:
#  big:
#    provider: openai
#    model: gpt-4.1
#  big-elsewhere:
#    provider: anthropic
#    model: claude-sonnet-4-5
#    max_concurrent: 32
#  small:
#    provider: ours
#    model: qwen3-8b
#    price: {input_usd_mtok: 0.05, output_usd_mtok: 0.1}
#
# What clients ask for. Within a tier the fastest is chosen; the next tier is tried when a tier fails.
#
#routes:
#  assistant:
#    tiers:
#      - [big, big-elsewhere]
#      - [openai/gpt-4.1-mini]
#  quick:
#    tiers: [[small]]
#    retries: 1
#    cache: on                          # the same question is answered again from memory
#
# What models must not see, and what must not be said.
#
#guardrails:
#  pii:
#    mask: {actions: {IBAN_CODE: block}}     # hidden from providers, shown again in answers
#  injection:
#    injection: {}
#    mode: shadow                       # only told of
#  topics:
#    words: {deny: [plutonium]}
#    on: [input, output]
#    applies_to: {teams: [research]}
#
# Templates that clients call with prompt: {id, version, variables}, and what requests may ask for.
#
#prompts:
#  templates:
#    summary:
#      versions:
#        "1":
#          messages: [{role: system, text: "Summarise for {{reader}}."}]
#          variables: {reader: {type: line, default: everybody}}
#  parameters:
#    cheap: {caps: {max_tokens: 2000}, applies_to: {routes: [quick]}}
#
# What may be used and spent. `dragoman limits set` sets more while the gateway runs.
#
#limits:
#  each-key: {of: [key], requests: 60, tokens: 100000, per: minute}
#  research: {of: [team], cost_usd: 500, per: month, alert_at: [0.8], applies_to: {teams: [research]}}
#
# Virtual keys. `dragoman keys create` makes more without touching this file.
#
#keys:
#  - name: alice
#    secret: ${ALICE_KEY}
#    allow: [assistant, "openai/*"]
#    team: research
"""


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a configuration file."""
    (root,), definitions = msgspec.json.schema_components([Config], ref_template="#/$defs/{name}")
    for part in _parts(Config):
        properties = definitions[part.__name__]["properties"]
        for name, text in _descriptions(part).items():
            properties[name]["description"] = text
            _allow_reference(properties[name])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Dragoman",
        **root,
        "$defs": definitions,
    }


def _allow_reference(schema: dict[str, Any]) -> None:
    """A number or switch may also be ``${VAR}``."""
    if schema.get("type") in ("integer", "number", "boolean"):
        said: dict[str, Any] = {name: schema.pop(name) for name in ("default", "description") if name in schema}
        choices = [dict(schema), {"type": "string", "pattern": r"\$\{"}]
        schema.clear()
        schema.update(said, anyOf=choices)


def example_yaml() -> str:
    """A file that changes nothing: every field with its default and meaning, commented out, and an example."""
    lines = [
        "# Dragoman's configuration. Every line that begins with # shows a default or an example: take the # away to",
        "# change it. Strings may hold ${VAR}, ${VAR:-default} and ${file:/path}; $${ is a plain ${.",
        "# The file is read again when it changes. Sizes are in bytes, times in seconds.",
        "",
    ]
    for field in msgspec.structs.fields(Config):
        default = _default(field)
        if isinstance(default, Part):
            text = _descriptions(Config)[field.encode_name]
            lines += [f"# {_sentence(text)}", "#", f"#{field.encode_name}:", *_part_lines(default, "  "), ""]
    return "\n".join([*lines, EXAMPLE])


def _part_lines(part: Part, indent: str) -> Iterator[str]:
    """One commented line a field; those of its inner mappings indented below it."""
    texts = _descriptions(type(part))
    for name in part.__struct_fields__:
        value = getattr(part, name)
        if isinstance(value, Part):
            yield f"#{f'{indent}{name}:':<38} # {texts[name]}"
            yield from _part_lines(value, indent + "  ")
        else:
            yield f"#{f'{indent}{name}: {_scalar(value)}':<38} # {texts[name]}"


def _scalar(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _default(field: msgspec.structs.FieldInfo) -> object:
    factory = field.default_factory
    return field.default if factory is msgspec.NODEFAULT else factory()


def _parts(part: type[Part]) -> Iterator[type[Part]]:
    """The type and every one reachable from it."""
    found = [part]
    for one in found:
        for hint in get_type_hints(one).values():
            found += [inner for inner in _inner_parts(hint) if inner not in found]
    return iter(found)


def _inner_parts(hint: Any) -> Iterator[type[Part]]:
    if isinstance(hint, type) and issubclass(hint, Part):
        yield hint
    elif get_origin(hint) in (Union, UnionType, dict, tuple, Annotated):
        for inner in get_args(hint):
            yield from _inner_parts(inner)


def _descriptions(part: type[Part]) -> dict[str, str]:
    """The text beside each field's type."""
    hints = get_type_hints(part, include_extras=True)
    return {
        name: next(text for text in reversed(hint.__metadata__) if isinstance(text, str))
        for name, hint in hints.items()
        if name in part.__struct_fields__
    }
