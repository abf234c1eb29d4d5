"""Drills: failures injected into a cluster of real peers, what clients saw meanwhile, and the judgement of it all."""
