"""Names and texts, as all applications take them."""

from pathlib import Path

import pytest

from tanist.peer import apps
from tanist.peer.application import Refused
from tanist.peer.apps.checks import NAME_LENGTH_MAX, checked_name, checked_text


@pytest.mark.parametrize("name", ["ada", "Ада", "x y", "名前", "👩‍🚀", "n" * NAME_LENGTH_MAX])
def test_names_of_any_script_are_taken(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize(
    "name", ["", " ada", "ada\u00a0", "a\nb", "\x07", "a\u2028b", "a\x85b", "ad\u200ba", "\u202eada", "n" * 33]
)
def test_names_that_could_pass_for_others_are_refused(name: str) -> None:
    with pytest.raises(Refused) as caught:
        checked_name(name, "nickname")
    assert caught.value.code == "bad_nickname"


def test_a_text_is_one_line() -> None:
    assert checked_text(" a\r\nb\x00\x1bc ", 10) == "a b c"
    for text in ["", " ", "\n", "x" * 11]:
        with pytest.raises(Refused) as caught:
            checked_text(text, 10, "post")
        assert caught.value.code == "bad_post"


def test_each_application_is_a_small_file() -> None:
    long = {file.name for file in Path(str(apps.__file__)).parent.glob("*.py") if file.read_text().count("\n") > 150}
    assert not long, "business logic only, in 150 lines at the most: the rest is the framework's"
