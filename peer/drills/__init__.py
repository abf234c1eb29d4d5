"""Drills: failures injected into a cluster of real peers, and the judgement of what came of them."""
