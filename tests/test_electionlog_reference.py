"""docs/reference/events.md is what the catalogue says."""

from pathlib import Path

import msgspec
import pytest

from tanist.peer.electionlog.catalogue import CATALOGUE
from tanist.peer.electionlog.reference import form_of, reference, type_text

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "events.md"


def test_the_page_is_not_stale() -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert written == reference(), "run: python -m tanist.peer.electionlog.reference > docs/reference/events.md"


def test_every_event_and_field_is_on_the_page() -> None:
    page = reference()
    for name, cls in CATALOGUE.items():
        section = page.partition(f"### `{name}`\n")[2].partition("\n### ")[0]
        assert section, name
        for field in msgspec.structs.fields(cls):
            assert f"| `{field.name}` |" in section, (name, field.name)


def test_types_and_units_are_in_words() -> None:
    assert type_text(dict[str, str]) == "object, text to text"
    assert type_text(list[str]) == "list of text"
    assert form_of("heard_ms_ago", float) == form_of("took_ms", float) == "milliseconds"
    assert form_of("torn_bytes", int) == "bytes"
    assert form_of("term", str) == "number@holder"
    with pytest.raises(KeyError):
        type_text(bytes)
