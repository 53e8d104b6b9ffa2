"""Requests and answers of each wire format, as its vendor documents them: two texts, two vectors; three documents."""

from __future__ import annotations

from typing import Any

VECTORS = [[0.5, -0.25, 1.0], [0.125, 2.0, -4.0]]
BASE64 = ["AAAAPwAAgL4AAIA/", "AAAAPgAAAEAAAIDA"]
TEXTS = ["hello", "world"]
DOCUMENTS = ["Paris.", "London.", "Berlin."]
PLACES = [{"index": 2, "relevance_score": 0.75}, {"index": 0, "relevance_score": 0.5}]
TOKENS = 7

# By format: the client's path and request; the provider's answer to it.
EMBED: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "openai_embeddings": (
        "/v1/embeddings",
        {"model": "m", "input": TEXTS},
        {
            "object": "list",
            "model": "m",
            "data": [{"object": "embedding", "index": index, "embedding": VECTORS[index]} for index in (1, 0)],
            "usage": {"prompt_tokens": TOKENS, "total_tokens": TOKENS},
        },
    ),
    "cohere_embed": (
        "/v2/embed",
        {"model": "m", "texts": TEXTS, "input_type": "search_query", "embedding_types": ["float"]},
        {
            "id": "e1",
            "embeddings": {"float": VECTORS},
            "texts": TEXTS,
            "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": TOKENS}},
            "response_type": "embeddings_by_type",
        },
    ),
    "gemini_embed": (
        "/v1beta/models/m:batchEmbedContents",
        {"requests": [{"model": "models/m", "content": {"parts": [{"text": text}]}} for text in TEXTS]},
        {"embeddings": [{"values": one} for one in VECTORS], "usageMetadata": {"promptTokenCount": TOKENS}},
    ),
    "vertex_predict": (
        "/v1/projects/p/locations/l/publishers/google/models/m:predict",
        {"instances": [{"content": text, "task_type": "RETRIEVAL_QUERY"} for text in TEXTS]},
        {
            "predictions": [
                {"embeddings": {"values": one, "statistics": {"token_count": tokens, "truncated": False}}}
                for one, tokens in zip(VECTORS, (3, 4), strict=True)
            ]
        },
    ),
}
RERANK: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "rerank": (
        "/v1/rerank",
        {"model": "m", "query": "Germany?", "documents": DOCUMENTS, "top_n": 2, "return_documents": True},
        {"model": "m", "results": PLACES, "usage": {"total_tokens": TOKENS}},
    ),
    "cohere_rerank": (
        "/v2/rerank",
        {"model": "m", "query": "Germany?", "documents": DOCUMENTS, "top_n": 2},
        {"id": "r1", "results": PLACES, "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}},
    ),
    "voyage_rerank": (
        "",
        {"model": "m", "query": "Germany?", "documents": DOCUMENTS, "top_k": 2},
        {"object": "list", "model": "m", "data": PLACES, "usage": {"total_tokens": TOKENS}},
    ),
}
