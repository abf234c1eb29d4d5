"""Planted bugs of exactly once: the session table, its snapshot, and the ids of sessions."""

from planted.bug import Bug, bug

_SESSIONS = "election/sessions.py"

SESSIONS: tuple[Bug, ...] = (
    bug(
        "repeated-command-runs-again",
        "a command is applied at most once per history",
        _SESSIONS,
        "        if sequence != session.expected:\n            if not",
        "        if sequence > session.expected:\n            if not",
        "tests/test_sessions.py",
    ),
    bug(
        "same-sequence-other-body",
        "the same sequence with another body is an error",
        _SESSIONS,
        "return reply if first_digest == digest else self._refusals[SEQUENCE_REUSED]",
        "return reply",
        "tests/test_sessions.py",
    ),
    bug(
        "unknown-session-executes",
        "an unknown session is an error, never a second execution",
        _SESSIONS,
        "        if session is None:\n            return self._refusals[UNKNOWN_SESSION]",
        "        if session is None:\n"
        '            session = self._sessions[command.session] = OpenSession(command.session, "", "")',
        "tests/test_sessions.py",
    ),
    bug(
        "waited-for-below-the-floor",
        "what lies below the lowest sequence that a client waits for is never waited for",
        _SESSIONS,
        "if not session.expected < sequence <= command.floor:",
        "if True:",
        "tests/test_sessions.py",
    ),
    bug(
        "ended-session-opens-again",
        "a late copy of its opening does not bring an ended session back empty",
        _SESSIONS,
        "if not opened.session or opened.session in self._ended or",
        "if not opened.session or",
        "tests/test_sessions.py",
    ),
    bug(
        "snapshot-drops-replies",
        "a command that is repeated across a snapshot gets its first reply",
        _SESSIONS,
        "for digest, reply in zip(record.digests, record.replies, strict=True):",
        "for digest, reply in ():",
        "tests/test_sessions.py",
        "tests/test_machine.py",
    ),
    bug(
        "snapshot-drops-ended-sessions",
        "ended sessions are remembered across a snapshot",
        _SESSIONS,
        "            self._ended[end.session] = _Ended(session, end.time_ns, end.index)\n            if end.held:",
        "            if end.held:",
        "tests/test_sessions.py",
        "tests/test_machine.py",
    ),
    bug(
        "key-not-kept",
        "an idempotency key gives the first reply across sessions",
        "election/idempotency.py",
        "        self._remember(KeyRecord(command.key, digest, reply, self._age_ns))\n",
        "",
        "tests/test_sessions.py",
    ),
    bug(
        "entry-applied-again",
        "an entry that was applied before is skipped",
        "peer/application/machine.py",
        "            if index <= self.applied:\n                continue\n",
        "",
        "tests/test_machine.py",
    ),
    bug(
        "refused-command-publishes",
        "a command that was refused has no effects",
        "peer/application/runner.py",
        "            context.effects.clear()\n            reply = encode_refusal(refused)",
        "            self.carry_out(context)\n            reply = encode_refusal(refused)",
        "tests/test_machine.py",
    ),
    bug(
        "session-ids-repeat",
        "session ids are random and made by the client",
        "peer/calls.py",
        "return secrets.token_hex(12)",
        'return "session-1"',
        "tests/test_calls.py",
        mark="D16",
    ),
)
