from __future__ import annotations

import json
from typing import Any

import pytest

from dragoman.access.principal import ANONYMOUS
from dragoman.config.prompting import Decorator, Parameters, Prompt, Prompting, Settings, Turn, Variable, Version
from dragoman.errors import InvalidRequest, RequestError, UpstreamProtocol
from dragoman.guardrails.prompts.build import NO_RULES, PromptControls, Rules
from dragoman.guardrails.prompts.sessions import OURS, LiveControls, RealtimeControls

HOUSE = Decorator(prepend="Obey the house.", append="Be brief.")
CHEAP = Parameters(caps=Settings(max_tokens=100), defaults=Settings(temperature=0.3), forbidden=("tools",))
SUPPORT = Prompt(
    versions={
        "1": Version(
            messages=(Turn(role="system", text="You help with {{product}}."),),
            variables={"product": Variable(type="line")},
            parameters=Settings(max_tokens=50),
        ),
        "turns": Version(messages=(Turn(role="user", text="Hi."),)),
    },
    default="1",
)
CALL = {"id": "support", "variables": {"product": "lamps"}}


def rules(*decorators: Decorator, policies: tuple[Parameters, ...] = ()) -> Rules:
    prompting = Prompting(
        decorators={f"d{at}": one for at, one in enumerate(decorators)},
        parameters={f"p{at}": one for at, one in enumerate(policies)},
    )
    return PromptControls(config=prompting).rules(ANONYMOUS, "m")


def realtime(rules: Rules, **more: Any) -> RealtimeControls:
    return RealtimeControls(rules, {"support": SUPPORT}.get, **{"beta": False} | more)


def opened(rules: Rules, **more: Any) -> RealtimeControls:
    controls = realtime(rules, **more)
    controls.opening()
    return controls


def update(controls: RealtimeControls, kind: str = "session.update", **said: Any) -> Any:
    field = "session" if kind == "session.update" else "response"
    return json.loads(controls.from_client(json.dumps({"type": kind, field: said})))[field]


def test_a_session_begins_under_its_controls() -> None:
    told = json.loads(realtime(rules(HOUSE, policies=(CHEAP,))).opening() or "")
    assert told["type"] == "session.update"
    assert told["session"] == {
        "type": "realtime",
        "instructions": "Obey the house.\n\nBe brief.",
        "max_output_tokens": 100,
    }
    beta = json.loads(realtime(rules(policies=(CHEAP,)), beta=True).opening() or "")
    assert beta["session"] == {"max_response_output_tokens": 100, "temperature": 0.3}


def test_where_nothing_is_to_be_said_nothing_is() -> None:
    assert realtime(NO_RULES).opening() is None
    assert realtime(rules(policies=(Parameters(forbidden=("tools",)),))).opening() is None
    frame = '{"type":"session.update","session":{"instructions":"x"}}'
    assert realtime(NO_RULES).from_client(frame) is frame
    assert realtime(NO_RULES).from_provider('{"type":"session.updated"}') is not None


@pytest.mark.parametrize("kind", ["session.update", "response.create"])
@pytest.mark.parametrize(
    ("own", "said"),
    [
        ("Sing.", "Obey the house.\n\nSing.\n\nBe brief."),
        ("", "Obey the house.\n\nBe brief."),
        (None, "Obey the house.\n\nBe brief."),
    ],
)
def test_instructions_of_the_client_s_are_decorated(kind: str, own: str | None, said: str) -> None:
    assert update(opened(rules(HOUSE)), kind, instructions=own)["instructions"] == said


@pytest.mark.parametrize("kind", ["session.update", "response.create"])
def test_what_leaves_the_instructions_as_they_are_leaves_them(kind: str) -> None:
    assert update(opened(rules(HOUSE)), kind, output_modalities=["text"]) == {"output_modalities": ["text"]}


def test_they_may_be_replaced() -> None:
    assert update(opened(rules(Decorator(replace="Ours."))), instructions="Sing.")["instructions"] == "Ours."


@pytest.mark.parametrize("asked", [200, "inf", -1])
def test_parameters_are_capped(asked: Any) -> None:
    controls = opened(rules(policies=(CHEAP,)))
    assert update(controls, max_output_tokens=asked)["max_output_tokens"] == 100
    assert update(controls, "response.create", max_output_tokens=50)["max_output_tokens"] == 50
    assert controls.changed == "max_tokens=capped"


def test_defaults_are_set_once() -> None:
    controls = opened(rules(policies=(CHEAP,)), beta=True)
    assert "temperature" not in update(controls, voice="alloy")


@pytest.mark.parametrize("kind", ["session.update", "response.create"])
def test_what_is_forbidden_is_refused(kind: str) -> None:
    with pytest.raises(InvalidRequest, match="tools may not be used here"):
        update(opened(rules(policies=(CHEAP,))), kind, tools=[{"type": "function", "name": "f"}])


@pytest.mark.parametrize("kind", ["session.update", "response.create"])
def test_a_template_is_called_by_name(kind: str) -> None:
    controls = opened(rules(HOUSE))
    said = update(controls, kind, prompt=CALL, instructions="Sing.")
    assert said["instructions"] == "Obey the house.\n\nYou help with lamps.\n\nSing.\n\nBe brief."
    assert (said["max_output_tokens"], "prompt" in said, controls.prompt) == (50, False, "support@1")
    bare = realtime(NO_RULES)
    assert update(bare, kind, prompt=CALL)["instructions"] == "You help with lamps."
    assert update(bare, kind, prompt={"id": "pmpt_1"}) == {"prompt": {"id": "pmpt_1"}}


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ({"id": "support", "version": "turns"}, "turns beside its instructions"),
        ({"id": "support"}, "product is missing"),
        ({"id": "support", "version": "9"}, "no version"),
        ("support", "prompt is not"),
    ],
)
def test_a_template_that_cannot_be_is_named(prompt: Any, message: str) -> None:
    for make in (lambda: update(realtime(NO_RULES), prompt=prompt), lambda: live(NO_RULES, prompt=prompt)):
        with pytest.raises(RequestError, match=message):
            make()


@pytest.mark.parametrize(
    "frame",
    [
        '{"type":"session.upd\\u0061te","session":{"instructions":"Sing."}}',
        b'{"type":"session.update","session":{"instructions":"Sing."}}',
    ],
)
def test_however_it_is_written_it_is_held_to_them(frame: str | bytes) -> None:
    told = json.loads(opened(rules(HOUSE)).from_client(frame))
    assert told["session"]["instructions"].startswith("Obey the house.")


@pytest.mark.parametrize(
    "frame",
    [
        '{"type":"session.update","session":{},"type":"input_audio_buffer.append"}',
        '{"type":"session.update","session":{"instructions":"a","instructions":"b"}}',
        '{"type":"session.update","session":{"instructions":7}}',
        "no json",
        b"\xff",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(frame: str | bytes) -> None:
    with pytest.raises(InvalidRequest):
        opened(rules(HOUSE)).from_client(frame)


def test_other_frames_pass_as_they_are() -> None:
    controls = opened(rules(HOUSE))
    for frame in ('{"type": "input_audio_buffer.append", "audio": "AAAA"}', '{"type":"response.create"}'):
        assert controls.from_client(frame) is frame


def test_the_answer_to_the_gateway_s_own_event_is_not_the_client_s() -> None:
    controls = opened(rules(HOUSE))
    assert controls.from_provider('{"type":"session.created"}') is not None
    assert controls.from_provider('{"type":"session.updated"}') is None
    assert controls.from_provider('{"type":"session.updated"}') is not None


def test_a_provider_that_does_not_take_them_ends_it() -> None:
    error = {"type": "error", "error": {"message": "no such field", "event_id": OURS}}
    with pytest.raises(UpstreamProtocol, match="no such field"):
        opened(rules(HOUSE)).from_provider(json.dumps(error))


def test_what_only_writes_down_what_is_said_has_no_instructions() -> None:
    controls = realtime(rules(HOUSE), transcribes=True)
    assert controls.opening() is None
    assert update(controls, type="transcription", audio={}) == {"type": "transcription", "audio": {}}
    assert update(controls, type="realtime")["instructions"].startswith("Obey the house.")


def test_the_user_s_own_words_cannot_be_decorated() -> None:
    with pytest.raises(InvalidRequest, match=r"prompts\.decorators\.d1") as told:
        realtime(rules(HOUSE, Decorator(to="user", append="!")))
    assert told.value.error_code == "uncontrolled_prompt"


# Gemini Live ----------------------------------------------------------------------------------------------------------


def live(rules: Rules, **setup: Any) -> Any:
    return LiveControls(rules, {"support": SUPPORT}.get).setup({"model": "models/live"} | setup)


@pytest.mark.parametrize("name", ["systemInstruction", "system_instruction"])
def test_a_setup_s_instructions_are_decorated(name: str) -> None:
    said = live(rules(HOUSE), **{name: {"parts": [{"text": "Sing."}]}})
    texts = [part["text"] for part in said["systemInstruction"]["parts"]]
    assert (texts, said.get("system_instruction")) == (["Obey the house.", "Sing.", "Be brief."], None)
    assert len(live(rules(HOUSE))["systemInstruction"]["parts"]) == 2
    assert live(NO_RULES) == {"model": "models/live"}


def test_a_setup_s_parameters_are_held_to_the_policies() -> None:
    said = live(rules(policies=(CHEAP,)), generation_config={"maxOutputTokens": 500})
    assert said["generation_config"]["maxOutputTokens"] == 100
    assert live(rules(policies=(CHEAP,)))["generationConfig"] == {"temperature": 0.3, "maxOutputTokens": 100}
    with pytest.raises(InvalidRequest, match="tools may not be used"):
        live(rules(policies=(CHEAP,)), tools=[{"googleSearch": {}}])


def test_a_setup_calls_a_template() -> None:
    said = live(NO_RULES, prompt=CALL)
    assert said["systemInstruction"]["parts"] == [{"text": "You help with lamps."}]
    assert said["generationConfig"] == {"maxOutputTokens": 50}


@pytest.mark.parametrize(
    "setup",
    [
        {"systemInstruction": {"parts": [{"inlineData": {}}]}},
        {"systemInstruction": "Sing."},
        {"systemInstruction": {"parts": []}, "system_instruction": {"parts": []}},
    ],
)
def test_a_setup_that_cannot_be_decorated_is_refused(setup: Any) -> None:
    with pytest.raises(InvalidRequest, match="systemInstruction"):
        live(rules(HOUSE), **setup)


def test_a_canary_stands_behind_instructions() -> None:
    controls = RealtimeControls(NO_RULES, {}.get, "Canary.", beta=False)
    assert controls.opening() is None
    assert update(controls, instructions="Sing.")["instructions"] == "Sing.\n\nCanary."
    assert "instructions" not in update(controls, tools=[])
    assert update(controls, "response.create", instructions="Hum.")["instructions"] == "Hum.\n\nCanary."
    live = LiveControls(NO_RULES, {}.get, "Canary.")
    assert live.setup({"model": "m"}) == {"model": "m"}
    held = live.setup({"systemInstruction": {"parts": [{"text": "Sing."}]}})
    assert held["systemInstruction"] == {"parts": [{"text": "Sing."}, {"text": "Canary."}]}


def test_the_client_is_not_told_of_its_canary() -> None:
    controls = RealtimeControls(NO_RULES, {}.get, "Canary.", beta=False)
    told = {"type": "session.updated", "session": {"instructions": "Sing.\n\nCanary."}}
    assert json.loads(controls.from_provider(json.dumps(told)) or "")["session"]["instructions"] == "Sing."
    for other in (told | {"type": "response.done"}, told | {"session": "Canary."}, {"type": "session.updated"}):
        frame = json.dumps(other)
        assert controls.from_provider(frame) == frame, "guardrails are to see it"
