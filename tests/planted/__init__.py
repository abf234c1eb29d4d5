"""Planted bugs: one-line faults kept out of the product, to see that the tests and the virtual world catch them.

`python -m planted --help`, run in `tests/`, says what can be done with them.
"""
