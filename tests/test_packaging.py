"""What is shipped: the list of packages, the wheel with all its files, the pins, and the README's commands."""

import email
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PACKAGES = ("election", "transport", "config", "peer")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PINS = ("requirements.txt", "requirements-dev.txt")
BUILD_S_MAX = 100


def shipped_files() -> set[str]:
    """Every file of the four folders, as paths from the top, without what Python itself leaves beside modules."""
    return {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: nothing that an earlier build left in the checkout can get into it."""
    copy, out = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("wheel")
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, copy)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    build = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    told = subprocess.run(
        [sys.executable, "-c", build, out], cwd=copy, capture_output=True, text=True, timeout=BUILD_S_MAX, check=False
    )
    assert told.returncode == 0, told.stderr
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the content of the wheel, as an installation has it."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_every_package_is_listed() -> None:
    found = {Path(file).parent.as_posix() for file in shipped_files() if file.endswith("/__init__.py")}
    listed = PROJECT["tool"]["setuptools"]["package-dir"]
    assert listed == {"tanist." + folder.replace("/", "."): folder for folder in found}
    assert sorted(PROJECT["tool"]["setuptools"]["packages"]) == sorted(listed)


def test_every_folder_with_files_is_a_package() -> None:
    files = shipped_files()
    folders = {Path(file).parent.as_posix() for file in files}
    assert {folder for folder in folders if f"{folder}/__init__.py" not in files} == set()


def test_the_name_itself_stays_open() -> None:
    assert not (ROOT / "tanist").exists(), "tanist is a namespace: the packages stand at the top"


def test_the_wheel_has_every_file_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == {f"tanist/{file}" for file in shipped_files()}
    assert {f"tanist/{package}/py.typed" for package in PACKAGES} <= names


def test_the_wheel_says_what_it_is(installed: Path) -> None:
    (about,) = installed.glob("*.dist-info")
    said = email.message_from_string((about / "METADATA").read_text("utf-8"))
    project = PROJECT["project"]
    assert (said["Name"], said["Version"]) == (project["name"], project["version"])
    assert (said["License-Expression"], said["Requires-Python"]) == ("MIT", ">=3.11")
    assert (about / "licenses" / "LICENSE").read_text("utf-8") == (ROOT / "LICENSE").read_text("utf-8")
    assert "tanist = tanist.peer.cli:main" in (about / "entry_points.txt").read_text("utf-8")


def run_beside_own_modules(folder: Path, environment: dict[str, str]) -> dict[str, str]:
    """Which file each name comes from, in a script with modules beside it that are called as tanist's folders are."""
    names = [*PACKAGES, *(f"tanist.{package}" for package in PACKAGES)]
    for package in PACKAGES:
        (folder / f"{package}.py").write_text("", "utf-8")
    (folder / "notes.py").write_text(
        f"from importlib import import_module\nfor name in {names}:\n    print(name, import_module(name).__file__)\n",
        "utf-8",
    )
    run = subprocess.run(
        [sys.executable, "notes.py"],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return {name: Path(file).as_posix() for name, file in (line.split(" ", 1) for line in run.stdout.splitlines())}


def test_a_users_own_modules_are_not_shadowed_by_the_wheel(tmp_path: Path, installed: Path) -> None:
    files = run_beside_own_modules(tmp_path, {"PYTHONPATH": str(installed)})
    assert files == {name: (tmp_path / f"{name}.py").as_posix() for name in PACKAGES} | {
        f"tanist.{name}": (installed / "tanist" / name / "__init__.py").as_posix() for name in PACKAGES
    }


def test_a_users_own_modules_are_not_shadowed_by_this_installation(tmp_path: Path) -> None:
    files = run_beside_own_modules(tmp_path, {})
    assert {name: files[name] for name in PACKAGES} == {name: (tmp_path / f"{name}.py").as_posix() for name in PACKAGES}


def pinned(file: str) -> dict[str, Requirement]:
    """The pins of a requirements file by name; each must have hashes."""
    text = re.sub(r"^#.*\n", "", (ROOT / file).read_text("utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    pins: dict[str, Requirement] = {}
    for line in text.splitlines():
        said, *hashes = line.split("--hash=")
        pin = Requirement(said)
        assert hashes, f"{file}: {pin} has no hash"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}\s*", one) for one in hashes), f"{file}: {pin}: {hashes}"
        pins[canonicalize_name(pin.name)] = pin
    return pins


@pytest.mark.parametrize(("file", "extras"), [("requirements.txt", ()), ("requirements-dev.txt", ("dev",))])
def test_every_dependency_is_pinned_to_a_version_that_fits(file: str, extras: tuple[str, ...]) -> None:
    pins = pinned(file)
    wanted = list(PROJECT["project"]["dependencies"])
    for extra in extras:
        wanted += PROJECT["project"]["optional-dependencies"][extra]
    for requirement in map(Requirement, wanted):
        pin = pins[canonicalize_name(requirement.name)]
        (exact,) = pin.specifier
        assert exact.operator == "=="
        assert requirement.specifier.contains(exact.version), f"{file} has {pin}, pyproject.toml wants {requirement}"
        assert requirement.marker is None or pin.marker is not None, f"{file}: {pin} is not for every system"


def test_both_pin_the_same_versions() -> None:
    running, developing = ({name: str(pin.specifier) for name, pin in pinned(file).items()} for file in PINS)
    assert running == {name: developing[name] for name in running}


@pytest.mark.parametrize("file", PINS)
def test_pins_name_no_place(file: str) -> None:
    places = re.compile(r"://|file:|^\s*(-e|-f|-i|--(extra-)?index|--find-links|--trusted)|^\s*[./~]| @ ", re.MULTILINE)
    assert places.findall((ROOT / file).read_text("utf-8")) == []


def test_the_readme_gives_the_commands_that_are_tried() -> None:
    """What .ci/run runs is what a reader types."""
    readme, tried = ((ROOT / name).read_text("utf-8") for name in ("README.md", ".ci/run"))
    commands = dict(re.findall(r"^readonly (\w+_COMMAND)='(.*)'$", tried, re.MULTILINE))
    assert set(commands) == {"TEST_COMMAND", "INSTALL_COMMAND", "DEMO_COMMAND"}
    assert {name: command for name, command in commands.items() if command not in readme} == {}
