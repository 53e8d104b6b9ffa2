"""Prompt controls as types: templates, what is put around every prompt, and what requests may ask for."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from msgspec import Meta

from dragoman.config.guards import AppliesTo
from dragoman.config.part import Part

PositiveInt = Annotated[int, Meta(ge=1)]
Positive = Annotated[float, Meta(ge=0)]
VariableType = Literal["text", "line", "integer", "number", "boolean", "choice"]
# Names of variables where they stand in a template's texts.
PLACE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")


class Turn(Part, frozen=True, kw_only=True):
    """One message of a template."""

    role: Annotated[Literal["system", "user", "assistant"], "whose words they are"]
    text: Annotated[str, "with {{name}} where a variable's value goes"]


class Variable(Part, frozen=True, kw_only=True):
    """What a client may put into a template."""

    type: Annotated[VariableType, "line: text without line breaks; choice: one of choices"] = "text"
    choices: Annotated[tuple[str, ...], "of a choice"] = ()
    max_chars: Annotated[PositiveInt, "of a text or line"] = 20_000
    minimum: Annotated[float | None, "of a number"] = None
    maximum: Annotated[float | None, "of a number"] = None
    default: Annotated[Any, "null: the client has to give it"] = None


class Settings(Part, frozen=True, kw_only=True):
    """Parameters of a request, by OpenAI's names whatever the client's dialect calls them; null: not spoken of."""

    max_tokens: Annotated[PositiveInt | None, "the longest answer"] = None
    temperature: Annotated[Positive | None, "how varied answers are"] = None
    top_p: Annotated[Positive | None, "nucleus sampling"] = None
    top_k: Annotated[PositiveInt | None, "sampling among so many"] = None
    frequency_penalty: Annotated[float | None, "against repetition"] = None
    presence_penalty: Annotated[float | None, "against repetition"] = None
    seed: Annotated[int | None, "for the same answer again"] = None
    stop: Annotated[tuple[str, ...] | None, "what ends an answer"] = None
    n: Annotated[PositiveInt | None, "answers a request"] = None

    @property
    def named(self) -> dict[str, Any]:
        """What is spoken of."""
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items() if v is not None}


class Version(Part, frozen=True, kw_only=True):
    """One version of a template. It does not change: what changes is another version."""

    messages: Annotated[tuple[Turn, ...], "before the client's own"]
    variables: Annotated[dict[str, Variable], "by name"] = {}
    parameters: Annotated[Settings, "where the client sets none"] = Settings()
    model: Annotated[str, "where the client names none"] = ""


class Prompt(Part, frozen=True, kw_only=True):
    """A template."""

    versions: Annotated[dict[str, Version], "by name"]
    default: Annotated[str, "the version where the client names none; empty: the last"] = ""

    @property
    def usual(self) -> str:
        """The version where a client names none."""
        return self.default or list(self.versions)[-1]


class Decorator(Part, frozen=True, kw_only=True):
    """What is put around prompts."""

    applies_to: Annotated[AppliesTo, "whose; all lists must agree"] = AppliesTo()
    to: Annotated[Literal["system", "user"], "user: to the user's last message"] = "system"
    prepend: Annotated[str, "before what is there"] = ""
    append: Annotated[str, "after it"] = ""
    replace: Annotated[str, "in its place"] = ""


Parameter = Literal[
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "stop",
    "n",
    "logprobs",
    "logit_bias",
    "tools",
    "tool_choice",
    "response_format",
    "reasoning",
    "service_tier",
    "store",
    "metadata",
    "user",
]


class Parameters(Part, frozen=True, kw_only=True):
    """What requests may ask for."""

    applies_to: Annotated[AppliesTo, "whose; all lists must agree"] = AppliesTo()
    defaults: Annotated[Settings, "where a request says nothing"] = Settings()
    caps: Annotated[Settings, "no more than this; the longest answer is then set to it"] = Settings()
    forced: Annotated[Settings, "whatever a request says"] = Settings()
    forbidden: Annotated[tuple[Parameter, ...], "not to be asked for"] = ()
    on_forbidden: Annotated[Literal["refuse", "drop"], "what is done with a request that does"] = "refuse"
    prompt_cache: Annotated[bool, "mark what providers may cache of long prompts, where it pays"] = False

    @property
    def binds(self) -> bool:
        """Whether it says what may not be, and not only what is usual."""
        return bool(self.forbidden or self.caps.named or self.forced.named)


class Prompting(Part, frozen=True, kw_only=True):
    """Templates, decorators and parameter policies, by name."""

    templates: Annotated[dict[str, Prompt], "called as prompt: {id, version, variables}"] = {}
    decorators: Annotated[dict[str, Decorator], "what is put around prompts, in this order"] = {}
    parameters: Annotated[dict[str, Parameters], "what requests may ask for, in this order"] = {}


def problems_of(version: Version) -> list[str]:
    """What is wrong with a template."""
    used = {name for turn in version.messages for name in PLACE.findall(turn.text)}
    found = [f"{name}: is used and not among variables" for name in sorted(used - version.variables.keys())]
    found += [f"variables.{name}: is not used" for name in sorted(version.variables.keys() - used)]
    for name, variable in version.variables.items():
        if (variable.type == "choice") != bool(variable.choices):
            found.append(f"variables.{name}: choices go with type choice, and only with it")
    if not version.messages:
        found.append("messages: are none")
    return found
