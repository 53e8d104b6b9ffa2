"""What a stream has said, gathered to be shown to others once it is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.dialects.canonical import BlockStarted, Cited, Delta, Opaque, Passed, ToolCall
from dragoman.guardrails.passages import strings
from dragoman.guardrails.verdict import Passage

if TYPE_CHECKING:
    from dragoman.dialects.canonical import Event


class Heard:
    """One stream, as its provider tells it: what was hidden from that one is hidden here."""

    def __init__(self) -> None:
        self._calls: set[tuple[int, int]] = set()
        self._texts: dict[tuple[int, int], str] = {}
        self._whole: list[str] = []

    def note(self, event: Event) -> None:
        """One more event."""
        if type(event) is Delta:
            at = event.choice, event.index
            self._texts[at] = self._texts.get(at, "") + event.text
        elif type(event) is BlockStarted:
            at = event.choice, event.index
            if type(event.block) is ToolCall:
                self._calls.add(at)
                self._texts[at] = event.block.name + "\n"
            elif type(event.block) is Opaque:
                self._whole += strings(event.block.raw)
        elif type(event) is Passed:
            self._whole += strings(event.raw)
        elif type(event) is Cited:
            self._whole.append(event.citation.cited_text)

    @property
    def passages(self) -> list[Passage]:
        """All of it."""
        texts = [
            Passage("tool_arguments" if at in self._calls else "output", text, "assistant")
            for at, text in self._texts.items()
            if text
        ]
        return texts + [Passage("output", text, "assistant") for text in self._whole if text]
