"""What stands beside a candidate's content: where its text comes from, and how likely its tokens were."""

from __future__ import annotations

from typing import Any

from dragoman.dialects.canonical import Citation, Json
from dragoman.dialects.lenient import count, list_of, objects_of, text_of


def read_citations(candidate: Json, text: str) -> tuple[Citation, ...]:
    """The citations of a grounded text. The dialect counts bytes, everybody else characters."""
    grounding: Any = candidate.get("groundingMetadata")
    if type(grounding) is not dict:
        return ()
    chunks = objects_of(grounding, "groundingChunks")
    encoded = text.encode("utf-8", "surrogatepass")
    found = []
    for support in objects_of(grounding, "groundingSupports"):
        segment = support.get("segment")
        if type(segment) is not dict:
            continue
        start, end = count(segment.get("startIndex")), count(segment.get("endIndex"))
        for index in list_of(support, "groundingChunkIndices"):
            if type(index) is not int or not 0 <= index < len(chunks):
                continue
            web: Any = chunks[index].get("web") or chunks[index].get("retrievedContext")
            if type(web) is dict and text_of(web, "uri"):
                found.append(
                    Citation(
                        url=text_of(web, "uri"),
                        title=text_of(web, "title"),
                        cited_text=text_of(segment, "text"),
                        start=len(encoded[:start].decode("utf-8", "ignore")),
                        end=len(encoded[:end].decode("utf-8", "ignore")),
                    )
                )
    return tuple(found)


def write_citations(text: str, citations: list[Citation]) -> Json | None:
    """Citations as the grounding of a text."""
    chunks: list[Json] = []
    supports: list[Json] = []
    for citation in citations:
        if not citation.url:
            continue
        start = len(text[: citation.start or 0].encode("utf-8", "surrogatepass"))
        end = len(text[: len(text) if citation.end is None else citation.end].encode("utf-8", "surrogatepass"))
        segment: Json = {"startIndex": start, "endIndex": end}
        if citation.cited_text:
            segment["text"] = citation.cited_text
        supports.append({"segment": segment, "groundingChunkIndices": [len(chunks)]})
        chunks.append({"web": {"uri": citation.url, "title": citation.title}})
    return {"groundingChunks": chunks, "groundingSupports": supports} if chunks else None


def read_logprobs(candidate: Json) -> Json | None:
    """Log-probabilities, as OpenAI has them."""
    result: Any = candidate.get("logprobsResult")
    if type(result) is not dict or type(result.get("chosenCandidates")) is not list:
        return None
    tops: Any = result.get("topCandidates")
    content = []
    for index, chosen in enumerate(result["chosenCandidates"]):
        if type(chosen) is not dict:
            continue
        top: Any = tops[index] if type(tops) is list and index < len(tops) else {}
        listed = [_token(one) for one in objects_of(top, "candidates")] if type(top) is dict else []
        content.append({**_token(chosen), "top_logprobs": listed})
    return {"content": content}


def _token(raw: Json) -> Json:
    token = text_of(raw, "token")
    return {"token": token, "logprob": raw.get("logProbability", 0.0), "bytes": list(token.encode())}


def write_logprobs(logprobs: Json) -> Json:
    """OpenAI's log-probabilities as this dialect has them."""
    tokens = objects_of(logprobs, "content")
    chosen = [{"token": one.get("token", ""), "logProbability": one.get("logprob", 0.0)} for one in tokens]
    tops = [
        {
            "candidates": [
                {"token": top.get("token", ""), "logProbability": top.get("logprob", 0.0)}
                for top in objects_of(one, "top_logprobs")
            ]
        }
        for one in tokens
    ]
    return {"chosenCandidates": chosen, "topCandidates": tops}
