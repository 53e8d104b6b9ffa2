"""Guardrails as types: what is looked for, where, for whom, and what is done about it.

A guardrail says what it is by which of its parts is given: ``mask:``, ``injection:``, ``words:`` and so on.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from dragoman.config.called import BedrockGuardrail, Judge, Moderation, Presidio, Webhook
from dragoman.config.part import Part
from dragoman.core import Masker

Place = Literal["input", "output", "tool_arguments", "tool_results"]
MaskAction = Literal["mask", "redact", "hash", "partial", "block", "flag"]
Script = Literal["latin", "cyrillic", "greek", "arabic", "hebrew", "devanagari", "thai", "hangul", "kana", "han"]
CodeLanguage = Literal["python", "javascript", "sql", "shell", "java", "c", "go", "rust", "php", "html"]
# How an answer that is streamed is looked at: as it comes, with the end of what came before; once it is whole, which
# nothing of it leaves before; not at all.
OnStream = Literal["windows", "hold", "skip"]
Share = Annotated[float, Meta(ge=0, le=1)]
PositiveInt = Annotated[int, Meta(ge=1)]


class AppliesTo(Part, frozen=True, kw_only=True):
    """Whose requests a guardrail is for. A list that is empty means all; all lists must agree."""

    organisations: Annotated[tuple[str, ...], "by name"] = ()
    teams: Annotated[tuple[str, ...], "by name"] = ()
    keys: Annotated[tuple[str, ...], "virtual keys, by id or name"] = ()
    routes: Annotated[tuple[str, ...], "aliases, as clients name them"] = ()


class Mask(Part, frozen=True, kw_only=True):
    """Personal data and secrets: hidden from the provider, and shown again in the answer."""

    entities: Annotated[tuple[str, ...], "kinds to look for; empty: those that are on by default"] = ()
    threshold: Annotated[Share, "what is less sure is left"] = 0.5
    action: Annotated[MaskAction, "what is done with what is found"] = "mask"
    actions: Annotated[dict[str, MaskAction], "the same for single kinds"] = {}
    patterns: Annotated[dict[str, str], "regular expressions of your own, by name (entity CUSTOM)"] = {}
    words: Annotated[dict[str, tuple[str, ...]], "words and phrases of your own, by name (entity CUSTOM)"] = {}


class Injection(Part, frozen=True, kw_only=True):
    """Prompts that try to take the model over."""

    threshold: Annotated[Share, "a score from 0 to 1; at 0.88, one harmless prompt in a hundred is over it"] = 0.88


class Leakage(Part, frozen=True, kw_only=True):
    """Answers that repeat the system prompt."""

    words: Annotated[PositiveInt, "so many words in a row that are the system prompt's"] = 12
    canary: Annotated[bool, "put a word into the system prompt that no answer may hold"] = False


class Words(Part, frozen=True, kw_only=True):
    """Words, phrases and topics that are not to be talked of."""

    deny: Annotated[tuple[str, ...], "found as whole words, whatever their case and disguise"]


class Patterns(Part, frozen=True, kw_only=True):
    """Regular expressions (RE2's syntax), by name."""

    deny: Annotated[dict[str, str], "a text in which one is found is refused"] = {}
    require: Annotated[dict[str, str], "a text in which one is not found is refused"] = {}


class Schema(Part, frozen=True, kw_only=True):
    """Answers that are to be JSON of a schema."""

    schema: Annotated[dict[str, Any], "JSON Schema; empty: that which the request asks for"] = {}
    repair: Annotated[bool, "an answer that is not is asked for once more, with what is wrong with it"] = False


class Language(Part, frozen=True, kw_only=True):
    """Scripts that may be written."""

    allow: Annotated[tuple[Script, ...], "by name"]


class Length(Part, frozen=True, kw_only=True):
    """How long texts may be."""

    max_chars: Annotated[PositiveInt | None, "all texts of one place together"] = None
    min_chars: Annotated[PositiveInt | None, "the same"] = None


class Urls(Part, frozen=True, kw_only=True):
    """Hosts that may be named, in links and images of Markdown as well."""

    allow: Annotated[tuple[str, ...], "hosts; *.example.com is any below it"] = ()


class Invisible(Part, frozen=True, kw_only=True):
    """Text that people do not see and models read."""

    most: Annotated[int, Meta(ge=0), "so many invisible characters are let pass"] = 4


class Code(Part, frozen=True, kw_only=True):
    """Program code."""

    languages: Annotated[tuple[CodeLanguage, ...], "empty: all"] = ()


class Toxicity(Part, frozen=True, kw_only=True):
    """Slurs and abuse, by a lexicon."""

    more: Annotated[tuple[str, ...], "words beside the built-in ones"] = ()
    less: Annotated[tuple[str, ...], "words of the built-in ones that may be said"] = ()


class Guardrail(Part, frozen=True, kw_only=True):
    """One guardrail: exactly one of its parts from ``mask`` on says what it does."""

    on: Annotated[tuple[Place, ...], "what is looked at; empty: wherever it makes sense"] = ()
    applies_to: Annotated[AppliesTo, "whose requests"] = AppliesTo()
    mode: Annotated[Literal["enforce", "shadow"], "shadow: only told of"] = "enforce"
    action: Annotated[Literal["block", "flag"], "what is done where it finds something"] = "block"
    on_error: Annotated[Literal["closed", "open"], "whether a request may pass that could not be looked at"] = "closed"
    on_stream: Annotated[
        OnStream | None,
        "streamed answers: windows, hold (until they are whole), skip; null: hold what needs them whole or is called "
        "out, else windows",
    ] = None
    timeout_s: Annotated[float, Meta(gt=0, le=120), "of a guardrail that is called out"] = 5.0
    parallel: Annotated[bool, "of one that is called out: the model is asked meanwhile, and its answer held"] = False
    mask: Annotated[Mask | None, "personal data and secrets"] = None
    injection: Annotated[Injection | None, "prompt injection and jailbreaks"] = None
    leakage: Annotated[Leakage | None, "the system prompt in answers"] = None
    words: Annotated[Words | None, "words and topics"] = None
    patterns: Annotated[Patterns | None, "regular expressions"] = None
    json_schema: Annotated[Schema | None, "answers of a schema"] = None
    language: Annotated[Language | None, "scripts"] = None
    length: Annotated[Length | None, "length"] = None
    urls: Annotated[Urls | None, "hosts in links"] = None
    invisible: Annotated[Invisible | None, "invisible text"] = None
    code: Annotated[Code | None, "program code"] = None
    toxicity: Annotated[Toxicity | None, "abuse"] = None
    webhook: Annotated[Webhook | None, "called out: a service of yours"] = None
    openai_moderation: Annotated[Moderation | None, "called out: OpenAI's moderation"] = None
    presidio: Annotated[Presidio | None, "called out: a Presidio analyzer"] = None
    bedrock_guardrail: Annotated[BedrockGuardrail | None, "called out: a guardrail of Bedrock"] = None
    judge: Annotated[Judge | None, "called out: a model's judgement"] = None

    @property
    def kinds(self) -> dict[str, Part]:
        """The parts that are given, by name; a guardrail that can be used has one."""
        return {name: part for name in KINDS if (part := getattr(self, name)) is not None}

    @property
    def needs_whole(self) -> bool:
        """Whether it can tell nothing of a part of an answer."""
        requires = self.patterns is not None and bool(self.patterns.require)
        return requires or self.json_schema is not None or self.length is not None

    @property
    def streamed(self) -> OnStream:
        """How answers that are streamed are looked at."""
        is_called = not CALLED.isdisjoint(self.kinds)
        return self.on_stream or ("hold" if self.needs_whole or is_called else "windows")


KINDS = Guardrail.__struct_fields__[Guardrail.__struct_fields__.index("mask") :]
CALLED = frozenset(KINDS[KINDS.index("webhook") :])


def usable(part: Part) -> None:
    """Hold a part to what the engines can use.

    Raises:
        ValueError: an entity or an action there is none of, or a pattern that cannot be compiled.
    """
    match part:
        case Mask():
            Masker(
                entities=list(part.entities),
                actions=dict(part.actions),
                patterns=part.patterns,
                words={name: list(words) for name, words in part.words.items()},
            )
        case Words():
            Masker(words={"deny": list(part.deny)})
        case Patterns():
            Masker(patterns=part.deny)
            Masker(patterns=part.require)
