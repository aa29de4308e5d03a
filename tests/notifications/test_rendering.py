"""Whatever the words are, what is sent is markup that Telegram takes, whole, and no longer than it allows."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications import rendering
from notifications.services import incoming
from tests.telegram.server import refused

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
lines = st.lists(st.builds(rendering.Line, words, st.booleans()), max_size=60)


@settings(max_examples=30, deadline=None)
@given(title=words, lines=lines)
def test_every_page_is_taken_and_begins_with_the_mode(title: str, lines: list[rendering.Line]) -> None:
    parts = rendering.pages(title, lines)

    assert parts
    assert all(part.startswith("PAPER · ") and refused(part, is_html=True) == "" for part in parts)


@settings(max_examples=20, deadline=None)
@given(lines=lines)
def test_no_line_is_lost_between_two_pages(lines: list[rendering.Line]) -> None:
    marked = [rendering.Line(f"<{number}>{line.text * 20}", line.is_mono) for number, line in enumerate(lines)]

    told = "".join(rendering.plain(part) for part in rendering.pages("t", marked))

    assert all(f"<{number}>" in told for number in range(len(marked)))


@pytest.mark.parametrize("longest", [rendering.LONGEST, rendering.LONGEST_CAPTION])
@pytest.mark.parametrize("letter", ["&", "<", "x", "\N{PILE OF POO}"])
@pytest.mark.parametrize("is_mono", [True, False])
def test_a_line_that_grows_when_it_is_escaped_is_split_between_two_letters(
    letter: str, is_mono: bool, longest: int
) -> None:
    lines = [rendering.Line(letter * 900, is_mono), rendering.Line("end", is_mono)]

    parts = rendering.pages(letter * 300, lines, longest=longest)

    assert [refused(part, is_html=True, longest=longest) for part in parts] == [""] * len(parts)
    told = "".join(rendering.plain(part).partition("\n")[2] for part in parts)
    assert told.replace("\n", "") == f"{letter * 900}end"


@settings(max_examples=100, deadline=None)
@given(raw=st.one_of(st.binary(max_size=200), st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace"))))
def test_no_bytes_break_the_reader(raw: bytes) -> None:
    assert incoming.parse(raw) is None


KEYS = ["update_id", "message", "callback_query", "from", "chat", "id", "text", "date", "data", "message_id", "type"]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=20,
)


@settings(max_examples=100, deadline=None)
@given(message=json_values, press=json_values)
def test_no_shape_of_an_update_breaks_the_reader(message: object, press: object) -> None:
    for body in ({"update_id": 1, "message": message}, {"update_id": 1, "callback_query": press}):
        came = incoming.parse(json.dumps(body).encode())
        assert came is None or (came.update_id == 1 and came.text)
