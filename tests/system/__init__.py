"""Tests with real processes, over real sockets, disks and signals."""
