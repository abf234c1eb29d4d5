"""The data directory: an identity for good, a new incarnation a start, one process at a time, clear refusals."""

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import platformdirs
import pytest

from tanist.peer.storage.datadir import NAMES_MAX, DataDirectory, default_directory, file_name, new_peer_id
from tanist.peer.storage.errors import DataError, DataLocked
from tanist.peer.storage.files import Disk, write_atomically

HOLDER = textwrap.dedent("""
    import sys
    from pathlib import Path
    from tanist.peer.storage.datadir import DataDirectory
    directory = DataDirectory.open(Path(sys.argv[1]), "club", "alpha")
    print(directory.peer, flush=True)
    sys.stdin.read()
""")


def test_identity_stays_and_incarnations_grow(tmp_path: Path) -> None:
    seen = []
    for _ in range(3):
        directory = DataDirectory.open(tmp_path / "data", "club", "alpha")
        seen.append((directory.peer, directory.incarnation))
        assert json.loads((tmp_path / "data" / "identity.json").read_text())["nonce"] == directory.incarnation[1]
        directory.close()
        directory.close()
    assert len({peer for peer, _ in seen}) == 1
    assert [counter for _, (counter, _) in seen] == [1, 2, 3]
    assert len({nonce for _, (_, nonce) in seen}) == 3
    assert directory.owner == f"club/{directory.peer}"


def test_ids_are_sixteen_characters_of_base32() -> None:
    ids = {new_peer_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(i) == 16 and set(i) <= set("abcdefghijklmnopqrstuvwxyz234567") for i in ids)


def test_second_process_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "d")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        peer = child.stdout.readline().strip()
        with pytest.raises(DataLocked, match=str(child.pid)) as refused:
            DataDirectory.open(tmp_path / "d", "club", "alpha")
        assert refused.value.pid == child.pid
        assert str(tmp_path / "d") in str(refused.value)
        child.kill()
    directory = DataDirectory.open(tmp_path / "d", "club", "alpha")
    assert (directory.peer, directory.incarnation[0]) == (peer, 2)
    directory.close()


def test_other_cluster_is_refused_and_the_lock_is_free_again(tmp_path: Path) -> None:
    DataDirectory.open(tmp_path, "club", "alpha").close()
    before = (tmp_path / "identity.json").read_bytes()
    with pytest.raises(DataError, match="belongs to cluster 'club', not to 'other'"):
        DataDirectory.open(tmp_path, "other", "alpha")
    assert (tmp_path / "identity.json").read_bytes() == before
    DataDirectory.open(tmp_path, "club", "alpha").close()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"version": 99, "shape": []}', "newer version"),
        (b"{", "cannot be read"),
        (b'{"version": 1}', "cannot be read"),
        (b"", "cannot be read"),
    ],
)
def test_newer_or_damaged_identity_is_refused_untouched(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "identity.json").write_bytes(content)
    with pytest.raises(DataError, match=message):
        DataDirectory.open(tmp_path, "club", "alpha")
    assert (tmp_path / "identity.json").read_bytes() == content


def test_journal_without_identity_is_refused(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "0000000001.journal").write_bytes(b"x")
    with pytest.raises(DataError, match=r"no identity\.json"):
        DataDirectory.open(tmp_path, "club", "alpha")


def test_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("mine")
    with pytest.raises(DataError, match="not a directory"):
        DataDirectory.open(tmp_path / "f", "club", "alpha")
    with pytest.raises(DataError, match="a part of the path is a file"):
        DataDirectory.open(tmp_path / "f" / "deeper", "club", "alpha")


@pytest.mark.parametrize(
    ("number", "message"), [(errno.ENOSPC, "no space is left"), (errno.EROFS, "read-only"), (errno.EIO, "disk reports")]
)
def test_failing_disk_is_a_clear_error_and_keeps_the_old_identity(tmp_path: Path, number: int, message: str) -> None:
    directory = DataDirectory.open(tmp_path, "club", "alpha")
    directory.close()

    class Failing(Disk):
        def write(self, descriptor: int, data: bytes) -> None:
            os.write(descriptor, data[:3])
            raise OSError(number, os.strerror(number))

    with pytest.raises(DataError, match=message) as refused:
        DataDirectory.open(tmp_path, "club", "alpha", Failing())
    assert refused.value.path == tmp_path
    again = DataDirectory.open(tmp_path, "club", "alpha")
    assert (again.peer, again.incarnation[0]) == (directory.peer, 2)
    again.close()
    assert not list(tmp_path.glob("*.tmp"))


@pytest.fixture
def read_only_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that is mounted read-only."""
    mount = tmp_path / "ro"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "ro,size=64k", "tmpfs", str(mount)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no right to mount a read-only file system")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


@pytest.mark.parametrize("below", ["", "new"])
def test_read_only_file_system(read_only_disk: Path, below: str) -> None:
    with pytest.raises(DataError, match="the file system is read-only"):
        DataDirectory.open(read_only_disk / below, "club", "alpha")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can become another user")
def test_directory_of_another_user() -> None:
    script = "import os, tanist.peer.storage.datadir\nos.seteuid(65534)\n" + HOLDER
    # Not below tmp_path, which nobody else may even look into.
    with tempfile.TemporaryDirectory() as owned:
        Path(owned).chmod(0o755)
        child = subprocess.run([sys.executable, "-c", script, owned], capture_output=True, text=True, input="")
    assert "it belongs to user 0, this is user 65534" in child.stderr
    assert "permission denied" in child.stderr


def test_default_directories_go_by_free_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_data_dir", lambda *_, **__: str(tmp_path))
    assert default_directory("club", "host") == (tmp_path / "club" / "host", "host")
    first = DataDirectory.open_default("club", "host")
    second = DataDirectory.open_default("club", "host")
    assert [d.identity.name for d in (first, second)] == ["host", "host-2"]
    assert second.path == tmp_path / "club" / "host-2"
    first.close()
    assert default_directory("club", "host") == (tmp_path / "club" / "host", "host")
    assert default_directory("club", "other")[1] == "other"
    second.close()


def test_default_names_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_data_dir", lambda *_, **__: str(tmp_path))
    monkeypatch.setattr("tanist.peer.storage.datadir.NAMES_MAX", 2)
    assert NAMES_MAX > 2
    held = [DataDirectory.open_default("club", "host") for _ in range(2)]
    with pytest.raises(DataError, match="all of 2 names"):
        default_directory("club", "host")
    for directory in held:
        directory.close()


@pytest.mark.parametrize("text", ["..", ".", "", "a/b", "a\\b", "c:", "ключ", "%2f.", "a\0b"])
def test_names_are_one_part_of_a_path(tmp_path: Path, text: str) -> None:
    name = file_name(text)
    path = tmp_path / name
    assert path.parent == tmp_path
    assert path.resolve().parent == tmp_path.resolve()
    assert not set(name) & set("/\\:\0")
    assert file_name("my-Host_2.local") == "my-Host_2.local"


def test_atomic_write_holds_old_or_new_at_every_failure(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")
    for name in ("create", "write", "sync", "replace"):

        class Failing(Disk):
            pass

        def fail(*_: object) -> None:
            raise OSError(errno.EIO, "no")

        setattr(Failing, name, fail)
        with pytest.raises(OSError, match="no"):
            write_atomically(path, b"new", Failing())
        assert path.read_bytes() == b"old"
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
