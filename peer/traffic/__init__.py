"""Small clients that keep a server busy: packets, sums and positions; and the agent that reports this machine."""
