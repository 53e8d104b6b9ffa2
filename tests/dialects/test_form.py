"""Forms: what is found in them, what is refused, and that no byte changes but the model's."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.dialects.form import MAX_PARTS, Form, is_form
from dragoman.errors import InvalidRequest

TYPE = "multipart/form-data; boundary=b"
PLAIN = b'Content-Disposition: form-data; name="%b"'


def part(name: bytes, content: bytes, *headers: bytes) -> bytes:
    return b"--b\r\n" + b"\r\n".join([PLAIN % name, *headers]) + b"\r\n\r\n" + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--b--\r\n"


MODEL = part(b"model", b"ours")
FILED = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
FILE = FILED + b"Content-Type: audio/wav\r\n\r\n\x00\r\n\r\n"


@pytest.mark.parametrize(
    ("raw", "model"),
    [
        (form(MODEL), "ours"),
        (form(FILE, MODEL), "ours"),
        (form(MODEL, FILE), "ours"),
        (form(FILE), ""),
        (form(part(b"prompt", b'name="model"\r\n\r\ntheirs\r\n'), MODEL), "ours"),
        (form(part(b"model", "é/ß".encode())), "é/ß"),
        (form(part(b"model", b"")), ""),
        (b"--b--", ""),
    ],
)
def test_the_model_is_that_of_its_own_part(raw: bytes, model: str) -> None:
    found = Form(raw, TYPE)
    assert found.model == model
    changed = found.with_model("theirs")
    ours = b"\r\n\r\n" + model.encode() + b"\r\n--b"
    assert changed == (raw.replace(ours, b"\r\n\r\ntheirs\r\n--b") if model else raw)


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/form-data; boundary="b"',
        "Multipart/Form-Data;boundary=b",
        "multipart/form-data; charset=utf-8; Boundary=b",
    ],
)
def test_a_boundary_may_be_written_in_several_ways(content_type: str) -> None:
    assert is_form(content_type)
    assert Form(form(MODEL), content_type).model == "ours"


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=b; boundary=c",
        "multipart/form-data; boundary=b, multipart/form-data; boundary=c",
        "multipart/form-data; boundary=" + "b" * 71,
        "multipart/form-data; boundary=\u20ac b",
    ],
)
def test_a_type_without_one_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(InvalidRequest, match="content type"):
        Form(form(MODEL), content_type)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"preamble\r\n" + form(MODEL),
        MODEL,
        form(MODEL).replace(b"--b--", b"--b"),
        b"--b \r\n" + form(MODEL)[5:],
        b"--b\n" + form(MODEL)[5:],
        b"--b\r\n\r\nours\r\n--b--",
        b"--b\r\nContent-Type: text/plain\r\n\r\nours\r\n--b--",
        b'--b\r\nContent-Disposition: attachment; name="model"\r\n\r\nours\r\n--b--',
        b"--b\r\nContent-Disposition: form-data\r\n\r\nours\r\n--b--",
        b'--b\r\nContent-Disposition: form-data; name=""\r\n\r\nours\r\n--b--',
        b'--b\r\nContent-Disposition: form-data; name="model"; name="file"\r\n\r\nours\r\n--b--',
        b"--b\r\nContent-Disposition: form-data; name=\"file\"; name*=utf-8''model\r\n\r\nours\r\n--b--",
        b'--b\r\nContent-Disposition: form-data; name="mod\\el"\r\n\r\nours\r\n--b--',
        b'--b\r\nContent-Disposition: form-data; name="model"; filename="m"\r\n\r\nours\r\n--b--',
        FILED + b'Content-Disposition: form-data; name="model"\r\n\r\nours\r\n--b--',
        form(part(b"prompt", b"--b \r\n" + MODEL)),
        form(part(b"prompt", b"x\r\n--b \r\n" + MODEL)),
        b'--b\r\nContent-Disposition: form-data;\r\n name="model"\r\n\r\nours\r\n--b--',
        b'--b\r\nContent-Disposition : form-data; name="model"\r\n\r\nours\r\n--b--',
        b'--b\r\nContent-Disposition: form-data; name="a"\nX: y\r\n\r\nours\r\n--b--',
        form(*[part(b"a", b"")] * (MAX_PARTS + 1)),
    ],
)
def test_what_could_be_read_otherwise_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Form(raw, TYPE)
    assert caught.value.error_code == "invalid_form"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (form(MODEL, MODEL), "duplicate_key"),
        (form(part(b"model", b"x" * 257)), "invalid_value"),
        (form(part(b"model", b"b3Vycw==", b"Content-Transfer-Encoding: base64")), "invalid_value"),
        (form(part(b"model", b"\xff")), "invalid_encoding"),
    ],
)
def test_a_model_that_is_no_name_is_refused(raw: bytes, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Form(raw, TYPE)
    assert (caught.value.error_code, caught.value.param) == (code, "model")


def test_a_name_without_quotes_is_one() -> None:
    assert Form(b"--b\r\ncontent-disposition: FORM-DATA; name=model\r\n\r\nours\r\n--b--", TYPE).model == "ours"


@given(st.binary(max_size=200))
def test_no_bytes_do_harm(raw: bytes) -> None:
    for body in (raw, form(MODEL)[:20] + raw, form(part(b"a", raw), MODEL)):
        try:
            found = Form(body, TYPE)
        except InvalidRequest:
            continue
        assert re.sub(rb"\r\ntheirs\r\n", b"\r\nours\r\n", found.with_model("theirs")) == body or found.model != "ours"
