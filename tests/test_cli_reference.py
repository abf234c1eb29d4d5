"""The page of the command line must be what the verbs say of themselves."""

import re
from pathlib import Path

from tanist.config.keys import flags
from tanist.config.sources import OTHER_VARIABLES
from tanist.peer.cli.reference import reference
from tanist.peer.cli.settings import VERB_VARIABLES

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "command-line.md"


def test_the_page_is_not_stale() -> None:
    again = "python -m tanist.peer.cli.reference > docs/reference/command-line.md"
    assert PAGE.read_text(encoding="utf-8") == reference(), f"the page is stale; write it again: {again}"


def test_every_twin_in_the_environment_is_known_where_settings_are_read() -> None:
    shown = set(re.findall(r"\[env var:[\s│]+(TANIST_[A-Z_]+)\]", reference()))
    assert {"TANIST_AT", "TANIST_WATCH", "TANIST_KEY"} <= shown
    settings = {"TANIST_APP", "TANIST_NAME", "TANIST_PACE", "TANIST_SAFETY"}
    assert shown - settings == VERB_VARIABLES | set(OTHER_VARIABLES)


def test_every_setting_with_a_flag_is_a_flag_of_up() -> None:
    up = reference().partition("## tanist up\n")[2].partition("\n## ")[0]
    for flag in flags():
        shown = {"discovery": "no-discovery"}.get(flag, flag)
        assert f"--{shown} " in up, f"tanist up has no --{shown}"
    assert "--config " in up
