"""Writes a Messages request, for Claude wherever it is served and for others that speak its dialect."""

from __future__ import annotations

import msgspec

from dragoman.dialects.anthropic.blocks import NAME
from dragoman.dialects.anthropic.conversation import write_messages, write_own_messages
from dragoman.dialects.anthropic.models import Claude, claude
from dragoman.dialects.anthropic.read_request import HEADERS
from dragoman.dialects.anthropic.thinking import write_thinking
from dragoman.dialects.anthropic.tools import ANSWER_TOOL, write_choice, write_tools
from dragoman.dialects.canonical import Format, Json, Request, Text
from dragoman.dialects.dialect import Outgoing, Target
from dragoman.dialects.losses import Losses
from dragoman.dialects.turns import in_turns
from dragoman.dialects.undo import Undo

PATH = "/messages"
VERSION = "2023-06-01"  # later ones refuse sampling
WITHOUT_WORDS = {
    "frequency_penalty": False,
    "presence_penalty": False,
    "seed": False,
    "logit_bias": False,
    "logprobs": True,
    "top_logprobs": True,
    "verbosity": False,
    "cache_key": False,
    "store": False,
    "metadata": False,
}
JSON_ONLY = "Answer with a single JSON object and nothing else: no prose, no code fence."


def write_request(request: Request, target: Target, losses: Losses) -> Outgoing:
    """The request as Anthropic gets it."""
    body, betas, undo = body_of(request, target, losses)
    body = {"model": target.model, **body}
    if request.stream:
        body["stream"] = True
    told: dict[str, str] = request.extra.get(HEADERS, {}) if request.dialect == NAME else {}
    headers = [("anthropic-version", told.get("anthropic-version", VERSION))]
    if betas:
        headers.append(("anthropic-beta", ",".join(betas)))
    return Outgoing(path=PATH, body=msgspec.json.encode(body), headers=headers, undo=undo)


def body_of(request: Request, target: Target, losses: Losses) -> tuple[Json, list[str], Undo]:
    """The body without its model, the betas it needs, and what is to be undone in the answer."""
    if request.dialect == NAME:
        told: dict[str, str] = request.extra.get(HEADERS, {})
        betas = [beta.strip() for beta in told.get("anthropic-beta", "").split(",") if beta.strip()]
        return _own(request), betas, Undo()
    facts = claude(target.model)
    system, turns = in_turns(request.messages, late_system=facts.late_system)
    body: Json = {"max_tokens": _max_tokens(request, target, facts)}
    undo = write_tools(body, request, facts, losses)
    write_choice(body, request, undo, facts, losses)
    _write_format(body, request.format, undo, losses)
    if request.format is not None and (request.format.kind == "json" or body.pop("_instruct", False)):
        losses.approximate("response_format", "asked for in words")
        system.append(Text(text=_instructions(request.format)))
    write_thinking(body, request, turns, facts, losses)
    write_messages(body, (system, turns), (target, facts), losses, undo)
    _write_sampling(body, request, facts, losses)
    if request.user:
        body["metadata"] = {"user_id": request.user}
    if request.service_tier in ("auto", "default", "standard_only"):
        body["service_tier"] = "standard_only" if request.service_tier == "default" else request.service_tier
    _name_losses(request, losses)
    return body, [], undo


def _own(request: Request) -> Json:
    """A request of this dialect, as it was."""
    extra = {name: value for name, value in request.extra.items() if name != HEADERS}
    body: Json = {"max_tokens": request.max_tokens}
    write_own_messages(body, request)
    write_tools(body, request, None, Losses())
    write_choice(body, request, Undo(), None, Losses())
    body |= {"temperature": request.temperature, "top_p": request.top_p, "top_k": request.top_k}
    body["stop_sequences"] = list(request.stop) or None
    output: Json = dict(extra.pop("output_config", {}))
    if request.format is not None:
        output["format"] = {"type": "json_schema", "schema": request.format.schema, **request.format.extra}
    if request.thinking is not None:
        body["thinking"] = request.thinking.extra.get("thinking")
        effort = request.thinking.extra.get("effort")
        if request.thinking.extra.get("_effort"):
            effort = request.thinking.effort
        if effort is not None:
            output["effort"] = effort
    body["output_config"] = output or None
    user = {"user_id": request.user} if request.user else {}
    body["metadata"] = {**user, **extra.pop("metadata", {})} or None
    body["service_tier"] = request.service_tier
    return {name: value for name, value in (body | extra).items() if value is not None}


def _max_tokens(request: Request, target: Target, facts: Claude) -> int:
    """The limit, which the dialect cannot do without: the model's own, where the client names none."""
    most = target.max_output or facts.max_output
    return most if request.max_tokens is None else max(1, min(request.max_tokens, most))


def _write_format(body: Json, form: Format | None, undo: Undo, losses: Losses) -> None:
    if form is None or form.kind != "schema" or undo.answer_tool or body.get("_instruct"):
        if undo.answer_tool:
            losses.approximate("response_format", f"as the arguments of a tool called {ANSWER_TOOL}")
        return
    body["output_config"] = {"format": {"type": "json_schema", "schema": form.schema or {}}}


def _instructions(form: Format) -> str:
    if form.kind == "json" or form.schema is None:
        return JSON_ONLY
    return f"{JSON_ONLY} It must match this JSON Schema: {msgspec.json.encode(form.schema).decode()}"


def _write_sampling(body: Json, request: Request, facts: Claude, losses: Losses) -> None:
    """Temperature, top_p and top_k, as far as the model takes them beside all else that is asked."""
    told = {"temperature": request.temperature, "top_p": request.top_p, "top_k": request.top_k}
    asked = {name: value for name, value in told.items() if value is not None}
    thinks = body.get("thinking", {}).get("type") not in (None, "disabled")
    for name, value in asked.items():
        if not facts.sampling or (thinks and not (name == "top_p" and 0.95 <= float(value) <= 1)):
            if value != 1:
                losses.drop(name, "the model takes none" if not facts.sampling else "not while it thinks")
            continue
        if name == "top_p" and "temperature" in body and not facts.both_sampling:
            losses.drop("top_p", "not beside temperature")
        elif name == "temperature" and value > 1:
            body[name] = 1.0
            losses.approximate(name, "at most 1")
        else:
            body[name] = value
    stops = [stop for stop in request.stop if stop.strip()]
    if len(stops) < len(request.stop):
        losses.drop("stop", "white space alone")
    if stops:
        body["stop_sequences"] = stops


def _name_losses(request: Request, losses: Losses) -> None:
    for name, meaning in WITHOUT_WORDS.items():
        value = getattr(request, name)
        if value is not None and value is not False and value != {}:
            losses.drop(name, "Anthropic has none", meaning=meaning)
    if request.n is not None and request.n > 1:
        losses.drop("n", "one answer a request", meaning=True)
    if set(request.modalities) - {"text"}:
        losses.drop("modalities", "text alone", meaning=True)
    losses.drop_own(request)
