"""Thinking, asked for in the way that a model takes: a budget of tokens, an effort, or not at all."""

from __future__ import annotations

from dragoman.dialects.anthropic.models import BUDGETS, EFFORTS, LEAST_BUDGET, Claude, effort_of
from dragoman.dialects.canonical import Json, Reasoning, Request, ToolCall
from dragoman.dialects.losses import Losses
from dragoman.dialects.turns import Turn


def write_thinking(body: Json, request: Request, turns: list[Turn], facts: Claude, losses: Losses) -> None:
    """Write ``thinking`` and the effort; may raise ``max_tokens``, of which thinking is a part."""
    thinking = request.thinking
    if thinking is None:
        return
    if facts.thinks == "none":
        if thinking.effort not in (None, "none") or thinking.budget:
            losses.drop("reasoning_effort", "the model does not think")
        return
    if thinking.effort == "none" or thinking.budget == 0:
        _turn_off(body, facts, losses)
        return
    if facts.thinks == "budget":
        _write_budget(body, request, turns, losses)
    else:
        _write_effort(body, request, losses)
    written = body.get("thinking")
    if written is not None and thinking.show is not None:
        if facts.thinks != "budget":
            written["display"] = "summarized" if thinking.show else "omitted"
        choice = body.get("tool_choice", {})
        if choice.get("type") in ("any", "tool"):
            body["tool_choice"] = {**choice, "type": "auto"}
            body["tool_choice"].pop("name", None)
            losses.approximate("tool_choice", "no tool is forced while the model thinks", meaning=True)


def _turn_off(body: Json, facts: Claude, losses: Losses) -> None:
    if facts.thinks == "always":
        body.setdefault("output_config", {})["effort"] = "low"
        losses.approximate("reasoning_effort", "the model always thinks; as little as it can")
    elif facts.thinks != "budget":
        body["thinking"] = {"type": "disabled"}


def _write_budget(body: Json, request: Request, turns: list[Turn], losses: Losses) -> None:
    thinking = request.thinking
    if thinking is None or _lacks_proof(turns):
        losses.drop("reasoning_effort", "the latest tool calls come without what was thought before them")
        return
    budget = thinking.budget if thinking.budget and thinking.budget > 0 else BUDGETS.get(thinking.effort or "", 2048)
    budget = max(budget, LEAST_BUDGET)
    if thinking.budget is None:
        losses.approximate("reasoning_effort", f"as a budget of {budget} tokens")
    if body["max_tokens"] <= budget:
        body["max_tokens"] += budget
    body["thinking"] = {"type": "enabled", "budget_tokens": budget}


def _lacks_proof(turns: list[Turn]) -> bool:
    """Whether the turn that is gone on with called tools without a signed thought before them."""
    last = next((turn for turn in reversed(turns) if turn.role == "assistant"), None)
    if last is None or turns[-1].role != "user" or not any(type(block) is ToolCall for block in last.blocks):
        return False
    return not any(type(block) is Reasoning and block.proof is not None for block in last.blocks)


def _write_effort(body: Json, request: Request, losses: Losses) -> None:
    thinking = request.thinking
    if thinking is None:
        return
    effort = thinking.effort
    if effort is None and thinking.budget and thinking.budget > 0:
        effort = effort_of(thinking.budget)
        losses.approximate("thinking.budget", f"as the effort {effort}")
    if effort == "minimal":
        effort = "low"
        losses.approximate("reasoning_effort", "low is the least")
    body["thinking"] = {"type": "adaptive"}
    if effort in EFFORTS:
        body.setdefault("output_config", {})["effort"] = effort
