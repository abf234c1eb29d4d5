"""Configurations to start from: copied, pointed at with `tanist up --config`, and loaded by a test each."""
