"""Planted bugs of what is kept on disk: records, journal, snapshots, the data directory."""

from planted.bug import Bug, bug

_JOURNAL = "peer/storage/journal.py"
_RECORDS = "election/records.py"
_RECOVERY = "peer/storage/recovery.py"
_SEGMENTS = "peer/storage/segments.py"
_SNAPSHOTS = "peer/storage/snapshots.py"

STORAGE: tuple[Bug, ...] = (
    bug(
        "replay-keeps-overwritten-entries",
        "entries that were written anew replace those that were there",
        _RECORDS,
        "                del self.entries[max(0, first - self.first) :]\n                self.entries.extend",
        "                self.entries.extend",
        "tests/test_records.py",
        "life/quorum",
    ),
    bug(
        "replay-forgets-truncation",
        "what was cut is gone after a restart too",
        _RECORDS,
        "del self.entries[max(0, last + 1 - self.first) :]",
        "pass",
        "tests/test_records.py",
        "life/quorum",
    ),
    bug(
        "snapshot-log-gap",
        "after a snapshot the log goes on with the entry after it",
        _RECORDS,
        "del self.entries[: first - self.first]",
        "del self.entries[: max(0, first - self.first - 1)]",
        "tests/test_records.py",
        "life/quorum",
    ),
    bug(
        "hole-accepted",
        "a hole in the log is never skipped",
        _RECORDS,
        "if first > self.last + 1:",
        "if False:",
        "tests/test_records.py",
        "tests/test_journal.py",
    ),
    bug(
        "persisted-before-sync",
        "nothing is said to be on disk before the sync returned",
        _SEGMENTS,
        "        self._disk.write(self._descriptor, frame)\n        self._disk.sync(self._descriptor)\n",
        "        self._disk.write(self._descriptor, frame)\n",
        "tests/test_journal_crashes.py",
    ),
    bug(
        "journal-goes-on-after-a-failed-sync",
        "a failed sync is never tried again and trusted",
        _JOURNAL,
        "        except OSError as error:\n            self._fail(",
        "        except OSError as error:\n            self._failure or self._on_persisted(self._writing.persist_id)\n"
        "            self._fail(",
        "tests/test_journal.py",
        "tests/test_journal_crashes.py",
    ),
    bug(
        "damage-taken-for-a-torn-tail",
        "damage in what was acknowledged is never dropped as a torn end",
        _RECOVERY,
        "    if proven > walk.chain.sequence:\n",
        "    if False:\n",
        "tests/test_journal_format.py",
        "tests/test_journal.py",
    ),
    bug(
        "checksum-not-looked-at",
        "a batch whose checksum does not fit is not read",
        _RECOVERY,
        "if crc32(memoryview(data)[at + FRAME_BYTES : end], chain.checksum) != checksum:",
        "if False:",
        "tests/test_journal_format.py",
        "tests/test_journal.py",
    ),
    bug(
        "torn-tail-is-kept",
        "a torn end is cut before anything is written behind it",
        _SEGMENTS,
        "        self._disk.truncate(self._descriptor, tail.length)\n",
        "",
        "tests/test_journal.py",
        "tests/test_journal_crashes.py",
    ),
    bug(
        "missing-segment-skipped",
        "a missing segment is damage",
        _RECOVERY,
        "        if header.number != number + i:\n",
        "        if False:\n",
        "tests/test_journal_format.py",
        "tests/test_journal.py",
    ),
    bug(
        "old-segments-removed-first",
        "a compaction leaves the old segments or the new one, whenever it is cut short",
        _SEGMENTS,
        "            self._begin(base=True, payload=payload)\n            self._remove_older()\n",
        "            for path in self._directory.glob('*' + SEGMENT_SUFFIX):\n                self._disk.remove(path)\n"
        "            self._begin(base=True, payload=payload)\n",
        "tests/test_journal_crashes.py",
    ),
    bug(
        "name-before-content",
        "a file gets its name when its content is on disk",
        "peer/storage/files.py",
        "            disk.write(descriptor, piece)\n        disk.sync(descriptor)\n",
        "            disk.write(descriptor, piece)\n",
        "tests/test_datadir.py",
        "tests/test_journal_crashes.py",
        "tests/test_snapshot_store.py",
    ),
    bug(
        "checkpoint-undoes-the-founding",
        "a compacted journal adds up to the same",
        "peer/storage/checkpoint.py",
        "    if stored.founding is not None:\n        records.append(stored.founding)\n",
        "    if stored.founding is not None:\n        records.append(stored.founding)\n"
        "        records.extend(stored.refused)\n",
        "tests/test_journal.py",
        "tests/test_journal_crashes.py",
        "tests/test_journal_format.py",
    ),
    bug(
        "corrupt-snapshot-installed",
        "a snapshot that arrived is checked before it gets its name",
        _SNAPSHOTS,
        "if _size(part) != meta.bytes or _file_digest(part) != meta.digest:",
        "if False:",
        "tests/test_snapshot_store.py",
    ),
    bug(
        "corrupt-snapshot-loaded",
        "a snapshot that does not have its digest is not loaded",
        _SNAPSHOTS,
        "if len(data) != meta.bytes or await wrap(digest_of)(data) != meta.digest:",
        "if False:",
        "tests/test_snapshot_store.py",
    ),
    bug(
        "snapshot-piece-after-a-hole",
        "a piece that does not begin where the last one ended is dropped",
        _SNAPSHOTS,
        "        if offset != have:\n            return have\n",
        "",
        "tests/test_snapshot_store.py",
    ),
    bug(
        "incarnation-stands-still",
        "every start is a new incarnation",
        "peer/storage/datadir.py",
        "known.peer, name, known.incarnation + 1, nonce",
        "known.peer, name, known.incarnation, known.nonce",
        "tests/test_datadir.py",
    ),
)
