"""The pages: nothing stale, no dead link, and the programs in them load and run."""

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tanist.election.roles import TRANSITIONS
from tanist.peer.application.loading import load_application
from tanist.peer.cli.verbs import app

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def generator() -> ModuleType:
    # It has a module beside it, as it finds when it is run.
    sys.path.append(str(DOCS))
    spec = importlib.util.spec_from_file_location("tanist_docs_generate", DOCS / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def prose(text: str) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(text: str) -> set[str]:
    """The anchors that headings get."""
    headings = re.findall(r"^#+ (.*)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> Iterator[str]:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page.read_text(encoding="utf-8"))):
        if not re.match(r"[a-z]+:", target):
            yield target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in links(page):
        name, _, anchor = target.partition("#")
        found = (page.parent / name).resolve() if name else page
        assert found.exists(), f"{target} is not there"
        if anchor:
            assert anchor in anchors(found.read_text(encoding="utf-8")), f"{target}: no such heading"


def test_there_are_links_to_check() -> None:
    assert sum(1 for page in PAGES for _ in links(page)) > 30


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            found = ((page.parent / link.partition("#")[0]).resolve() for link in links(page))
            waiting.extend(target for target in found if target.suffix == ".md")
    assert set(PAGES) <= reached, sorted(str(page) for page in set(PAGES) - reached)


@pytest.mark.parametrize("page", generator().GENERATED)
def test_generated_parts_are_not_stale(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    assert text == generator().renewed(page, text), "run: python docs/generate.py"


def test_the_diagram_has_every_transition() -> None:
    diagram = generator().roles()
    for (role, cause), following in TRANSITIONS.items():
        arrow = next(line for line in diagram.splitlines() if f"{role.name} --> {following.name}:" in line)
        assert str(cause) in arrow


def test_a_page_without_its_marker_is_an_error() -> None:
    with pytest.raises(ValueError, match="roles"):
        generator().renewed("explanation/failover.md", "no part here")


def programs() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for number, code in enumerate(
            re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M)
        ):
            found.append((f"{page.relative_to(ROOT)}-{number}", code))
    return found


@pytest.mark.parametrize(("place", "code"), programs(), ids=[place for place, _ in programs()])
def test_programs_on_pages_compile_and_applications_load(place: str, code: str, tmp_path: Path) -> None:
    compile(code, place, "exec", dont_inherit=True)
    if found := re.search(r"^class (\w+)\(Application\)", code, re.MULTILINE):
        path = tmp_path / "notes.py"
        path.write_text(code, encoding="utf-8")
        name, _ = load_application(f"{path}:{found[1]}")
        assert name == found[1].lower()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_verb_and_flag_on_a_page_exists(page: Path) -> None:
    for line in re.findall(
        r"^(?:    |\$ )?(?:\.venv\S+ )?tanist (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE
    ):
        words = line.split("#")[0].split()
        chain, _, _ = app.parse_commands(words)
        assert chain, f"tanist {line}: no such verb"
        known = known_flags(list(chain))
        for flag in re.findall(r"(?<=\s)--[a-z-]+", line):
            assert flag in known, f"tanist {line}: there is no {flag}"


def known_flags(chain: list[str]) -> set[str]:
    page = (DOCS / "reference" / "command-line.md").read_text(encoding="utf-8")
    section = page.partition(f"## tanist {' '.join(chain)}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"--[a-z-]+", section))
