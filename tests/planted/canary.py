"""The canary: a bug that shows in about one seed of a hundred. A big run that does not see it is blind.

In three of ten thousand starts a peer believes one entry more to be on its disk than is there.
"""

from planted.bug import Bug, bug

CANARY: Bug = bug(
    "canary",
    "what a peer believes to be on its disk is there, but for three of ten thousand starts",
    "election/node.py",
    "        self.durable = self.log.last\n",
    "        self.durable = self.log.last + (rng.random() < 0.0003)\n",
    "life/quorum",
)
SEEDS = range(600)
"""At one seed of a hundred, a run of these sees six."""
