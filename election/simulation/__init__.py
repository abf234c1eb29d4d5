"""The virtual world: the pure core under faults, in virtual time, with every step checked against the invariants."""
