"""A data directory with damaged files: what is sound is used, what is not is kept, and the peer is told."""

import shutil
from pathlib import Path

import pytest

from tanist.election.entries import Entry, Kind
from tanist.election.history import EMPTY, Term
from tanist.election.records import BallotRecord, EntriesRecord, Record, SnapshotRecord, Stored
from tanist.election.roster import NOBODY
from tanist.peer.storage.datadir import DataDirectory
from tanist.peer.storage.errors import JournalForeign
from tanist.peer.storage.format import segment_name
from tanist.peer.storage.sound import Opened, open_data


class Data:
    """One data directory, opened and closed as a peer does."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def open(self) -> tuple[DataDirectory, Opened]:
        directory = DataDirectory.open(self.path, "club", "a")
        try:
            return directory, await open_data(directory, lambda _: None, lambda error: pytest.fail(str(error)))
        except BaseException:
            directory.close()
            raise

    async def write(self, *batches: list[Record]) -> None:
        """One start that writes batches."""
        directory, opened = await self.open()
        for i, batch in enumerate(batches, 1):
            opened.journal.append(i, batch)
            await opened.journal.flush()
        await opened.journal.close()
        directory.close()

    async def read(self) -> Stored:
        """One start that writes nothing."""
        directory, opened = await self.open()
        await opened.journal.close()
        directory.close()
        return opened.stored

    async def take_snapshot(self, index: int) -> Path:
        """One start that takes a snapshot; gives its file."""
        directory, opened = await self.open()
        meta = await opened.store.save(
            index=index, term=Term(1, "a"), time_ns=7, history=EMPTY, roster=NOBODY, data=b"state" * 100
        )
        opened.journal.append(1, [SnapshotRecord(meta, True)])
        await opened.journal.flush()
        await opened.journal.close()
        directory.close()
        (file,) = (self.path / "snapshots").glob("*.snapshot")
        return file

    @property
    def segments(self) -> list[Path]:
        return sorted((self.path / "journal").iterdir())

    def kept(self) -> dict[str, bytes]:
        return {p.name: p.read_bytes() for p in sorted((self.path / "damaged").rglob("*")) if p.is_file()}


def entries(first: int, count: int) -> EntriesRecord:
    return EntriesRecord(first, tuple(Entry(1, "a", Kind.COMMAND, n, n, b"body") for n in range(first, first + count)))


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


@pytest.fixture
async def data(tmp_path: Path) -> Data:
    """A vote, ten batches of entries, and another vote."""
    made = Data(tmp_path / "data")
    middle: list[list[Record]] = [[entries(n, 1)] for n in range(1, 11)]
    await made.write([BallotRecord(3, "b")], *middle, [BallotRecord(9, "c")])
    return made


async def test_sound_data_are_not_touched(data: Data) -> None:
    stored = await data.read()
    assert (stored.number, stored.last, stored.damage) == (9, 10, None)
    assert not (data.path / "damaged").exists()


async def test_a_flipped_byte_anywhere_leaves_what_is_before_it(data: Data) -> None:
    (segment,) = data.segments
    good = segment.read_bytes()
    for at in range(0, len(good), 41):
        copy = Data(data.path.with_name(f"copy{at}"))
        shutil.copytree(data.path, copy.path)
        flip(copy.segments[0], at)
        damaged = copy.segments[0].read_bytes()
        stored = await copy.read()
        if stored.damage is None:
            # In the last mark, which carries nothing.
            assert (stored.number, stored.last) == (9, 10)
            continue
        assert stored.damage.start == 2
        assert stored.number in (0, 3), "the last vote is never kept when anything before it is not"
        assert list(copy.kept().values()) == [damaged], "nobody's bytes are thrown away"
        again = await copy.read()
        assert again.damage == stored.damage and again.last == stored.last, "a restart still knows, once for all"
        assert len(copy.kept()) == 1


@pytest.mark.parametrize("left", [0, 1, 2])
async def test_an_interruption_at_any_step_loses_nothing(data: Data, left: int) -> None:
    """Left behind by a crash: damaged segments beside the one that replaces them, which counts alone."""
    (segment,) = data.segments
    flip(segment, len(segment.read_bytes()) // 2)
    damaged = segment.read_bytes()
    before = await data.read()
    if left:
        (data.path / "journal" / segment_name(1)).write_bytes(damaged if left == 1 else damaged[:9])
    after = await data.read()
    assert (after.damage, after.last, after.number) == (before.damage, before.last, before.number)
    assert [p.name for p in data.segments] == [segment_name(2)]


async def test_a_journal_that_is_gone_is_damage(data: Data) -> None:
    shutil.rmtree(data.path / "journal")
    stored = await data.read()
    assert stored.damage is not None and "gone" in stored.damage.detail
    assert stored.last == 0


async def test_an_older_journal_is_damage(data: Data) -> None:
    """It passes all its checks, and lacks what a later start promised."""
    older = data.path.with_name("older")
    shutil.copytree(data.path / "journal", older)
    await data.write([BallotRecord(20, "d")])
    shutil.rmtree(data.path / "journal")
    shutil.copytree(older, data.path / "journal")
    stored = await data.read()
    assert stored.damage is not None and "older" in stored.damage.detail
    assert (stored.number, stored.last) == (9, 10)


async def test_a_start_that_ended_before_it_opened_the_journal_is_no_damage(tmp_path: Path) -> None:
    data = Data(tmp_path / "data")
    for _ in range(3):
        DataDirectory.open(data.path, "club", "a").close()
    assert (await data.read()).damage is None
    DataDirectory.open(data.path, "club", "a").close()
    assert (await data.read()).damage is None


@pytest.mark.parametrize("how", ["flipped", "gone"])
async def test_a_damaged_snapshot_is_damage_and_kept(data: Data, how: str) -> None:
    file = await data.take_snapshot(6)
    if how == "flipped":
        flip(file, 20)
    else:
        file.unlink()
    stored = await data.read()
    assert stored.damage is not None and stored.snapshot is None and stored.last == 0
    assert stored.number == 9, "what was voted is known"
    assert (file.name in data.kept()) == (how == "flipped")
    assert any(name.endswith(".journal") for name in data.kept()), "the entries behind it are kept too"
    assert (await data.read()).damage == stored.damage


async def test_a_snapshot_whose_description_alone_is_damaged_is_mended(data: Data) -> None:
    file = await data.take_snapshot(6)
    whole = file.read_bytes()
    flip(file, len(whole) - 20)
    stored = await data.read()
    assert stored.damage is None and stored.last == 10
    assert file.read_bytes() == whole


async def test_a_later_start_that_others_met_counts(data: Data) -> None:
    directory, opened = await data.open()
    directory.raise_incarnation(40)
    assert directory.incarnation[0] == 41
    await opened.journal.close()
    directory.close()
    directory, opened = await data.open()
    assert directory.incarnation[0] == 42
    await opened.journal.close()
    directory.close()


async def test_another_peers_journal_is_refused_not_repaired(data: Data, tmp_path: Path) -> None:
    other = Data(tmp_path / "other")
    await other.read()
    shutil.rmtree(other.path / "journal")
    shutil.copytree(data.path / "journal", other.path / "journal")
    with pytest.raises(JournalForeign):
        await other.read()
    assert not (other.path / "damaged").exists()
