"""The sentences of the protocol that stand there because a model check broke the version without them.

In the order of the protocol, each with a short title. Every one has at least one planted bug that removes it.
"""

SENTENCES: dict[str, str] = {
    "D1": "votes, refusals and stepping down compare numbers alone; the holder tells nothing but fragments apart",
    "D2": "a turn of the loop later than half of heartbeat.timeout after the deadline it had asked for is `woke`",
    "D3": "peers that meet while seeking exchange their lists; the higher (term, version) replaces the other",
    "D4": "a peer without history never stands against one with history",
    "D5": "a survivor server that woke and is not confirmed goes on in a new number only; no `server_alive` until then",
    "D6": "rank never vetoes: after one wait the candidate asks again, and rank is ignored",
    "D7": "in quorum mode a refusal is one missing vote; a less fresh candidate takes over log and number first",
    "D8": "no vote for a less fresh history, in either mode",
    "D9": "a fresher peer that cannot be elected lends its entries first; a forked suffix is kept until archived",
    "D10": "the heir serves whenever it is alive: one that is only behind fetches what it lacks and canvasses again",
    "D11": "freshness in a survivor ballot is a total order: commands, then the last term, then the length",
    "D12": "survivor: committed is what the server itself and the commit set have on disk",
    "D13": "without a former member only once it confirmed that from disk, or sync.timeout and a margin have passed",
    "D14": "a member counts from when it sent the confirmation that is repeated back; a mark from disk counts nothing",
    "D15": "founding is unanimous: one acceptance open at a time, on disk; all accept, or nothing is founded",
    "D16": "session ids are random and made by the client",
    "D17": "a peer compares histories before it follows; a higher number alone never wins",
    "D18": "a claim that lapsed, at either side, binds nobody",
    "D19": "nothing is cut in silence, whatever path finds the conflict",
    "D20": "a key that is in the log already, live or archived, is not entered again",
    "D21": "a member drops its log only when every entry it would lose at that moment is in the log that goes on",
    "D22": "a fate is decided once; what was applied in the history that goes on is skipped",
}
