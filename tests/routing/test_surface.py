from __future__ import annotations

from dragoman.endpoints.surfaces import fixed
from dragoman.routing.surface import Surface


def test_a_provider_speaks_the_dialect_unless_another_word_is_given() -> None:
    plain = Surface(endpoint="chat", dialect="openai_chat", native=fixed("/x"))
    other = Surface(endpoint="e", dialect="openai_chat", spoken="openai_embeddings", native=fixed("/x"))
    assert (plain.native_to, other.native_to) == ("openai_chat", "openai_embeddings")
