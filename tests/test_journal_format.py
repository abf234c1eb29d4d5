"""The journal's bytes: what goes in comes out, what changed is seen, what was cut short is told from damage."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.election.entries import Entry, Kind
from tanist.election.fallbacks import Fallback, FallbackList
from tanist.election.history import EMPTY, Term
from tanist.election.messages import SnapshotMeta
from tanist.election.records import (
    BallotRecord,
    CommitRecord,
    EntriesRecord,
    FoundingRecord,
    ListRecord,
    Record,
    SnapshotRecord,
    Stored,
    TruncateRecord,
)
from tanist.election.roster import Member, Roster
from tanist.peer.storage import format as journal_format
from tanist.peer.storage.checkpoint import checkpoint
from tanist.peer.storage.errors import JournalDamaged, JournalForeign, JournalNewer
from tanist.peer.storage.format import (
    FRAME_BYTES,
    Chain,
    SegmentHeader,
    decode_header,
    encode,
    encode_header,
    mark,
    seal,
    segment_name,
)
from tanist.peer.storage.recovery import SECTOR_BYTES, recover

SALT = 0x5EED
META = SnapshotMeta(5, Term(1, "a"), 7, EMPTY, Roster(), 10, "ab" * 32)
ROSTER = Roster((Member("a", "alpha", "127.0.0.1:7400"),))


def entry(n: int, body: bytes = b"x") -> Entry:
    return Entry(1, "a", Kind.COMMAND, n, n, body)


def entries(first: int, count: int = 1, body: bytes = b"x") -> EntriesRecord:
    return EntriesRecord(first, tuple(entry(first + i, body) for i in range(count)))


def header(number: int = 1, sequence: int = 0, checksum: int = 0, base: bool = True) -> bytes:
    return encode_header(SegmentHeader(number, sequence, checksum, SALT, base, "club/peer"))


def segment(batches: list[list[Record]], marked: bool = True) -> bytes:
    """A first segment; `marked` says whether the last batch got its mark."""
    data, chain = header(), Chain(0, 0, SALT)
    for i, batch in enumerate(batches):
        frame, chain = encode(batch, chain)
        data += frame
        if marked or i < len(batches) - 1:
            data += mark(chain)
    return data


def flat(batches: list[list[Record]]) -> list[Record]:
    return [record for batch in batches for record in batch]


BATCHES: list[list[Record]] = [
    [BallotRecord(1, "a"), entries(1, 3)],
    [
        ListRecord(FallbackList(Term(1, "a"), 2, (Fallback("b", "b", "h:1", True, 0, True, "best"),)), "a", "h:2"),
        TruncateRecord(2),
    ],
    [FoundingRecord(3, ROSTER, False), FoundingRecord(4, ROSTER, True), SnapshotRecord(META, False)],
    [entries(6, 2), entries(7, 1, b"\0" * 40)],
]


def test_every_record_comes_back_as_it_went_in() -> None:
    found = recover([(segment_name(1), segment(BATCHES))], "club/peer")
    assert found.records == flat(BATCHES)
    assert (found.batches, found.torn_bytes, found.superfluous) == (4, 0, ())


def test_no_segments_is_an_empty_journal() -> None:
    assert recover([]).tail is None


def test_header_keeps_all_its_fields() -> None:
    head = SegmentHeader(9, 8, 7, 6, False, "клуб/peer")
    data = encode_header(head)
    assert decode_header(data + b"more") == (head, len(data))
    with pytest.raises(ValueError, match="at most 255"):
        encode_header(head._replace(owner="x" * 256))


def test_cut_at_every_byte_gives_a_prefix_of_whole_batches() -> None:
    data = segment(BATCHES)
    ends = [len(header())]
    for n in range(1, len(BATCHES) + 1):
        ends.append(len(segment(BATCHES[:n], marked=False)))
    for cut in range(len(data) + 1):
        found = recover([(segment_name(1), data[:cut])])
        whole = max((n for n, end in enumerate(ends) if end <= cut), default=0)
        assert found.records == flat(BATCHES[:whole]), cut
        kept = found.tail.length if found.tail is not None else 0
        assert found.torn_bytes == cut - kept


def test_every_flipped_bit_is_damage_and_never_fewer_records() -> None:
    data = segment(BATCHES)
    for at in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[at] ^= 1 << bit
            if at < len(data) - FRAME_BYTES:
                with pytest.raises(JournalDamaged):
                    recover([(segment_name(1), bytes(flipped))])
            else:
                # The last mark carries no records: without it nothing is lost.
                found = recover([(segment_name(1), bytes(flipped))])
                assert found.records == flat(BATCHES)
                assert found.torn_bytes == FRAME_BYTES


def test_zeros_over_acknowledged_records_are_damage() -> None:
    """A missing sector looks like power lost during the write; the mark behind it says that it was not."""
    batches: list[list[Record]] = [*BATCHES[:3], [entries(6, 90)]]
    data = segment(batches)
    begin = len(segment(batches[:3])) // SECTOR_BYTES * SECTOR_BYTES
    for sector in range(begin + SECTOR_BYTES, len(data) - FRAME_BYTES - SECTOR_BYTES, SECTOR_BYTES):
        with pytest.raises(JournalDamaged, match="batch 4 was on disk"):
            recover([(segment_name(1), data[:sector] + bytes(SECTOR_BYTES) + data[sector + SECTOR_BYTES :])])


def test_last_batch_without_mark_and_changed_is_damage_unless_it_was_cut_or_a_sector_is_missing() -> None:
    unmarked = segment([*BATCHES[:3], [entries(6, 40, bytes(range(1, 40)))]], marked=False)
    begin = len(segment(BATCHES[:3]))
    assert len(unmarked) > begin + 3 * SECTOR_BYTES
    flipped = bytearray(unmarked)
    flipped[begin + 100] ^= 1
    with pytest.raises(JournalDamaged, match="written to its end"):
        recover([(segment_name(1), bytes(flipped))])
    torn = bytearray(unmarked)
    sector = (begin // SECTOR_BYTES + 1) * SECTOR_BYTES
    torn[sector : sector + SECTOR_BYTES] = bytes(SECTOR_BYTES)
    found = recover([(segment_name(1), bytes(torn))])
    assert found.records == flat(BATCHES[:3])
    assert "never reached the disk" in found.torn_detail


@given(seed=st.integers(0, 2**32), sizes=st.lists(st.integers(1, 1500), min_size=1, max_size=6))
@settings(deadline=None)
def test_power_loss_keeps_all_that_was_synced(seed: int, sizes: list[int]) -> None:
    """Any sectors of what was not synced (the last mark and the batch after it) are missing, and any end is cut."""
    rng = random.Random(seed)
    batches: list[list[Record]] = [[entries(i + 1, 1, rng.randbytes(size))] for i, size in enumerate(sizes)]
    synced = len(segment(batches[:-1], marked=False))
    data = bytearray(segment(batches, marked=False))
    for begin in range(synced // SECTOR_BYTES * SECTOR_BYTES, len(data), SECTOR_BYTES):
        if rng.random() < 0.4:
            lost = slice(max(begin, synced), min(begin + SECTOR_BYTES, len(data)))
            data[lost] = bytes(lost.stop - lost.start)
    if rng.random() < 0.3:
        del data[rng.randint(synced, len(data)) :]
    found = recover([(segment_name(1), bytes(data))])
    assert found.records in (flat(batches[:-1]), flat(batches))


@given(data=st.data())
@settings(deadline=None)
def test_overwritten_range_is_never_silently_fewer_records(data: st.DataObject) -> None:
    good = segment(BATCHES)
    at = data.draw(st.integers(0, len(good) - FRAME_BYTES - 1))
    junk = data.draw(st.binary(min_size=1, max_size=min(60, len(good) - FRAME_BYTES - at)))
    changed = good[:at] + junk + good[at + len(junk) :]
    if changed != good:
        with pytest.raises((JournalDamaged, JournalNewer)):
            recover([(segment_name(1), changed)])


def test_lost_repeated_and_swapped_batches_are_damage() -> None:
    frames, chain = [], Chain(0, 0, SALT)
    for batch in BATCHES:
        frame, chain = encode(batch, chain)
        frames.append(frame + mark(chain))
    for order in ([0, 2, 3], [1, 2, 3], [0, 1, 1, 2, 3], [0, 2, 1, 3]):
        with pytest.raises(JournalDamaged):
            recover([(segment_name(1), header() + b"".join(frames[i] for i in order))])


def test_number_out_of_order_is_damage_though_the_checksums_fit() -> None:
    frame, chain = encode(BATCHES[0], Chain(1, 0, SALT))
    with pytest.raises(JournalDamaged, match="batch 2 follows batch 0"):
        recover([(segment_name(1), header() + frame + mark(chain))])


def test_frames_of_another_journal_inside_a_record_do_not_count() -> None:
    foreign, chain = b"", Chain(50, 1, SALT + 1)
    for _ in range(2):
        frame, chain = encode([BallotRecord(1, "b")], chain)
        foreign += frame + mark(chain)
    data = segment([*BATCHES[:3], [entries(6, 1, foreign)]], marked=False)
    found = recover([(segment_name(1), data[:-3])])
    assert found.records == flat(BATCHES[:3])


def two_segments() -> list[tuple[str, bytes]]:
    first = segment(BATCHES[:2])
    tail = recover([(segment_name(1), first)]).tail
    assert tail is not None
    second = header(2, tail.chain.sequence, tail.chain.checksum, base=False)
    frame, chain = encode(BATCHES[2], tail.chain)
    return [(segment_name(1), first), (segment_name(2), second + frame + mark(chain))]


def test_segments_continue_each_other() -> None:
    assert recover(two_segments()).records == flat(BATCHES[:3])


def test_any_cut_or_flip_in_an_earlier_segment_is_damage() -> None:
    (name, first), second = two_segments()
    for cut in range(len(first)):
        with pytest.raises(JournalDamaged):
            recover([(name, first[:cut]), second])
        flipped = first[:cut] + bytes([first[cut] ^ 0x10]) + first[cut + 1 :]
        with pytest.raises(JournalDamaged):
            recover([(name, flipped), second])


def test_missing_segments_are_damage() -> None:
    first, second = two_segments()
    with pytest.raises(JournalDamaged, match="missing"):
        recover([second])
    third = (segment_name(3), header(3, 3, 3, base=False))
    with pytest.raises(JournalDamaged, match="segment 2 is missing"):
        recover([first, third])
    with pytest.raises(JournalDamaged, match="does not continue"):
        recover([first, second, third])
    with pytest.raises(JournalDamaged, match="under another name"):
        recover([(segment_name(4), first[1])])


def test_torn_header_of_a_fresh_segment_is_dropped() -> None:
    segments = two_segments()
    fresh = header(3, base=False)
    for cut in range(len(fresh)):
        found = recover([*segments, (segment_name(3), fresh[:cut])])
        assert found.records == flat(BATCHES[:3])
        assert found.superfluous == (segment_name(3),)
        assert found.tail is not None
        assert found.tail.number == 2
    with pytest.raises(JournalDamaged, match="no earlier segment"):
        recover([(segment_name(3), fresh[:9])])


def test_base_replaces_what_was_before_and_must_hold_its_first_batch() -> None:
    older = two_segments()
    head = header(3, 3, 99)
    frame, chain = encode([BallotRecord(9, "z")], Chain(3, 99, SALT))
    base = (segment_name(3), head + frame + mark(chain))
    found = recover([*older, base])
    assert found.records == [BallotRecord(9, "z")]
    assert found.superfluous == (segment_name(1), segment_name(2))
    assert recover([base]).records == found.records
    for cut in range(len(head), len(head + frame)):
        with pytest.raises(JournalDamaged, match="stands for all"):
            recover([(segment_name(3), base[1][:cut])])


def test_other_owner_is_refused() -> None:
    with pytest.raises(JournalForeign, match="club/peer"):
        recover([(segment_name(1), segment(BATCHES))], "club/other")


def test_newer_version_is_refused_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_format, "FORMAT_VERSION", 2)
    newer = header() + b"whatever came to be"
    monkeypatch.undo()
    with pytest.raises(JournalNewer, match="format 2"):
        recover([(segment_name(1), newer)])


def test_unknown_record_type_is_newer_and_nonsense_is_damage() -> None:
    unknown, _ = seal(b"\x77\0\0\0\1\x90", Chain(0, 0, SALT))
    with pytest.raises(JournalNewer, match="record type 119"):
        recover([(segment_name(1), header() + unknown)])
    for payload in (b"\x03\0", b"\x03\0\0\0\x09abc", b"\x03\0\0\0\x01\x01"):
        frame, _ = seal(payload, Chain(0, 0, SALT))
        with pytest.raises(JournalDamaged):
            recover([(segment_name(1), header() + frame)])


@given(
    st.lists(
        st.one_of(
            st.builds(BallotRecord, st.integers(0, 9), st.sampled_from(["", "a", "b"])),
            st.builds(FoundingRecord, st.integers(0, 9), st.just(ROSTER), st.booleans()),
            st.builds(TruncateRecord, st.integers(0, 3000)),
            st.builds(CommitRecord, st.integers(0, 3000)),
            st.builds(entries, st.integers(1, 10), st.integers(1, 2500)),
            st.builds(
                lambda index, keep: SnapshotRecord(
                    SnapshotMeta(index, Term(1, "a"), 7, EMPTY, ROSTER, 10, "ab" * 32), keep
                ),
                st.integers(1, 9),
                st.booleans(),
            ),
        ),
        max_size=12,
    )
)
@settings(deadline=None)
def test_checkpoint_adds_up_to_the_same(records: list[Record]) -> None:
    stored = Stored()
    for record in records:
        if not (isinstance(record, EntriesRecord) and record.first > stored.last + 1):
            stored.take(record)
    again = Stored.replay(checkpoint(stored))
    assert again == stored
    assert replace(again, number=again.number + 1) != stored
