from __future__ import annotations

from dragoman.dialects.canonical import Reasoning, Text
from dragoman.dialects.mistral import adjust_request, split_content


def test_names_of_its_own() -> None:
    adjusted = adjust_request({"messages": [], "seed": 1, "tool_choice": "required"})
    assert adjusted == {"messages": [], "random_seed": 1, "tool_choice": "any"}


def test_what_it_refuses_is_left_out_of_messages() -> None:
    said = {"role": "assistant", "name": "a", "content": "x", "reasoning_content": "hm", "refusal": None}
    developer = {"role": "developer", "content": "S"}
    assert adjust_request({"messages": [developer, said]})["messages"] == [
        {"role": "system", "content": "S"},
        {"role": "assistant", "content": "x"},
    ]


def test_a_call_and_its_result_keep_one_id_of_nine_characters() -> None:
    call = {"id": "call_with_a_long_id", "type": "function", "index": 0, "function": {"name": "f", "arguments": "{}"}}
    messages = [{"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "call_with_a_long_id"}]
    called, result = adjust_request({"messages": messages})["messages"]
    assert called["tool_calls"][0]["id"] == result["tool_call_id"]
    assert len(result["tool_call_id"]) == 9
    assert "index" not in called["tool_calls"][0]


def test_thoughts_are_chunks_of_the_content() -> None:
    chunks = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "Hi"}, 7]
    assert split_content(chunks) == [Reasoning(text="hm"), Text(text="Hi")]
