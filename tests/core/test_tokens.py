"""Token counts: held to tiktoken text by text, and to what providers billed request by request."""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st
from tiktoken_ext import openai_public  # type: ignore[import-untyped]

from dragoman.core import TokenCount, TokenCounter

ENCODINGS = ("o200k_base", "o200k_harmony", "cl100k_base", "p50k_base")

# What tokenisers trip over: case changes, marks, digits, contractions, white space of all kinds, runs.
single = ["a", "B", "é", "DŽ", "ʰ", "中", "\u0301", "1", "٣", " ", "\t", "\u00a0", "\n", "\r", "\u2028", "\u200d", "🙂"]
runs = ["'s", "'LL", "'ſ", "./", "<|endoftext|>", "=" * 70, " " * 90, "ab" * 300]
awkward = st.sampled_from([*single, *runs])
plain = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
texts = st.lists(awkward | plain, max_size=25).map("".join)


@functools.cache
def reference(name: str) -> tiktoken.Encoding:
    """Build tiktoken's encoding from our vocabulary, since it cannot download its own, and its own expression."""
    counter = TokenCounter(name)
    ranks: dict[bytes, int] = {}
    for token in range(200_000):
        try:
            ranks[counter.decode([token])] = token
        except ValueError:
            continue
    with mock.patch.object(openai_public, "load_tiktoken_bpe", lambda *_, **__: ranks):
        return tiktoken.Encoding(**openai_public.ENCODING_CONSTRUCTORS[name]())


@pytest.mark.parametrize("name", ENCODINGS)
@settings(deadline=None)
@given(text=texts)
def test_ids_are_tiktokens(name: str, text: str) -> None:
    counter = TokenCounter(name)
    ids = counter.encode(text)
    assert ids == reference(name).encode_ordinary(text)
    assert counter.count(text) == len(ids)
    assert counter.decode(ids) == text.encode()


def test_the_vocabulary_is_whole() -> None:
    assert [reference(name).n_vocab for name in ENCODINGS] == [200_019, 201_088, 100_277, 50_281]


def test_names_lead_to_counters() -> None:
    assert TokenCounter().encoding == "o200k_base"
    assert TokenCounter.for_model("openai/gpt-4-turbo").encoding == "cl100k_base"
    assert TokenCounter.for_model("some-model-of-tomorrow").encoding == "o200k_base"
    assert repr(TokenCounter("p50k_base")) == 'TokenCounter("p50k_base")'
    with pytest.raises(ValueError, match=r'unknown encoding "o300k".*o200k_base'):
        TokenCounter("o300k")


def test_half_a_surrogate_pair_is_refused_in_plain_words() -> None:
    counter = TokenCounter()
    for refuse in (counter.count, counter.encode):
        with pytest.raises(ValueError, match="half of a surrogate pair"):
            refuse("\ud800")
    body = json.dumps({"messages": [{"role": "user", "content": "\udfff"}]}).encode()
    with pytest.raises(ValueError, match="half of a surrogate pair"):
        counter.count_request(body, model="gpt-4o")


def test_many_are_counted_as_each() -> None:
    counter = TokenCounter()
    assert counter.count_many(["hello world", "", "hello"]) == [2, 0, 1]


def test_ten_megabytes_of_one_letter_are_counted() -> None:
    assert TokenCounter().count("a" * 10_000_000) == 1_250_000


def chat(*messages: dict[str, Any], **fields: Any) -> bytes:
    return json.dumps({"messages": list(messages), **fields}).encode()


def count(body: bytes, model: str = "gpt-4o") -> TokenCount:
    return TokenCounter.for_model(model).count_request(body, model=model)


def test_a_request_is_its_messages() -> None:
    counted = count(chat({"role": "user", "content": "What is the capital of France?"}))
    assert (counted.tokens, counted.text_tokens, counted.image_tokens, counted.exact) == (14, 14, 0, True)
    assert repr(counted) == "TokenCount(tokens=14, exact=True, text_tokens=14, image_tokens=0)"


def test_other_endpoints_count_their_input() -> None:
    counter = TokenCounter("cl100k_base")
    body = json.dumps({"input": ["hello world", "hello"]}).encode()
    assert counter.count_request(body, model="text-embedding-3-small", endpoint="embeddings").tokens == 3
    body = json.dumps({"prompt": "hello world"}).encode()
    assert counter.count_request(body, model="davinci-002", endpoint="completions").tokens == 2
    with pytest.raises(ValueError, match="unknown endpoint"):
        counter.count_request(body, model="davinci-002", endpoint="audio")  # type: ignore[arg-type]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"messages": "x"}', b"\xff", b"[" * 100_000])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        count(body)


def test_the_wrong_encoding_for_a_model_is_an_estimate() -> None:
    body = chat({"role": "user", "content": "hello"})
    assert not TokenCounter("cl100k_base").count_request(body, model="gpt-4o").exact
    assert TokenCounter("o200k_harmony").count_request(body, model="gpt-4o").exact


@settings(deadline=None)
@given(content=texts)
def test_a_text_counts_the_same_however_it_is_escaped_and_remembered(content: str) -> None:
    messages = {"messages": [{"role": "user", "content": content}]}
    expected = TokenCounter().count(content) + 7
    for ascii_only in (True, False, True):
        body = json.dumps(messages, ensure_ascii=ascii_only).encode()
        assert count(body).tokens == expected


def test_work_is_bounded_and_what_was_counted_is_known() -> None:
    counter = TokenCounter()
    body = chat({"role": "user", "content": "a text that only this test counts " * 1000})
    estimated = counter.count_request(body, model="gpt-4o", max_fresh_bytes=8192)
    exact = counter.count_request(body, model="gpt-4o")
    again = counter.count_request(body, model="gpt-4o", max_fresh_bytes=8192)
    assert (estimated.exact, exact.exact, again.exact) == (False, True, True)
    assert again.tokens == exact.tokens
    assert 0.3 < estimated.tokens / exact.tokens < 3


def test_what_a_provider_reports_is_learnt() -> None:
    counter = TokenCounter()
    body = chat({"role": "user", "content": "words " * 500})
    model = "a-model-that-only-this-test-knows"
    before = counter.count_request(body, model=model)
    for _ in range(50):
        counted = counter.count_request(body, model=model)
        counter.learn(model, counted, round(before.tokens * 1.4))
    after = counter.count_request(body, model=model)
    assert after.tokens == pytest.approx(before.tokens * 1.4, rel=0.02)
    assert not after.exact
    exact = count(body)
    TokenCounter().learn("gpt-4o", exact, 10 * exact.tokens)
    assert count(body).tokens == exact.tokens


def tokenizer_file(folder: Path) -> Path:
    path = folder / "tokenizer.json"
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    vocabulary = {"a": 0, "b": 1, "c": 2, "Ġ": 3, "ab": 4, "Ġc": 5, "abc": 6}
    model = {"type": "BPE", "vocab": vocabulary, "merges": ["a b", "Ġ c", "ab c"]}
    parts: dict[str, Any] = {"added_tokens": [], "normalizer": None, "pre_tokenizer": byte_level, "decoder": byte_level}
    path.write_text(json.dumps({"version": "1.0", **parts, "post_processor": None, "model": model}))
    return path


def test_a_tokenizer_file_is_followed(tmp_path: Path) -> None:
    path = tokenizer_file(tmp_path)
    counter = TokenCounter.from_file(str(path))
    assert counter.encoding == str(path)
    assert counter.encode("abc c ab") == [6, 5, 3, 4]
    assert counter.count("abc c ab") == 4
    assert not counter.count_request(chat({"role": "user", "content": "abc"}), model="gpt-4o").exact


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        TokenCounter.from_file(str(tmp_path / "absent.json"))
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match=r"no usable tokenizer\.json"):
        TokenCounter.from_file(str(tmp_path / "other.json"))


def rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


@pytest.mark.recorded
def test_ids_of_the_recorded_corpus_are_tiktokens(recorded: Path) -> None:
    wrong = []
    for row in rows(recorded / "tokens" / "corpus.jsonl.gz"):
        for name, expected in row["ids_sha256_16"].items():
            ids = TokenCounter(name).encode(row["text"])
            digest = hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()
            if not digest.startswith(expected) or TokenCounter(name).count(row["text"]) != len(ids):
                wrong.append((row["id"], name))
    assert wrong == []


def billed(recorded: Path) -> Iterator[tuple[dict[str, Any], TokenCount, int]]:
    """What OpenAI billed for the prompts of requests in its dialect, beside what we count."""
    for row in rows(recorded / "tokens" / "usage.jsonl.gz"):
        openai = row["provider"] in ("openai", "azure_openai")
        if openai and row["api"] in ("chat", "completions", "embeddings") and row["usage"].get("prompt_tokens"):
            model = row["model"] or row["request"]["model"]
            counter = TokenCounter.for_model(model)
            body = json.dumps(row["request"]).encode()
            yield row, counter.count_request(body, model=model, endpoint=row["api"]), row["usage"]["prompt_tokens"]


@pytest.mark.recorded
def test_recorded_requests_are_counted_as_they_were_billed(recorded: Path) -> None:
    seen: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for row, counted, expected in billed(recorded):
        kinds = [f"{row['api']} {'tools' if row['tools'] else 'plain'}" if row["text_only"] else "media"]
        if counted.exact:
            kinds.append("exact")
        for kind in kinds:
            seen[kind] += 1
            right[kind] += counted.tokens == expected
    share = {kind: right[kind] / seen[kind] for kind in seen}
    assert share["chat plain"] >= 0.95, share
    assert share["chat tools"] >= 0.80, share
    assert share["completions plain"] >= 0.95, share
    assert share["embeddings plain"] >= 0.95, share
    assert share["exact"] >= 0.97, share
    assert seen["exact"] >= 300, seen
