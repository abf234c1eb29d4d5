"""The configuration of a peer: what may be set, where a value came from, and what is wrong with it.

`load` is the door: it lays the defaults, a file, the environment and the flags over each other and returns a
`PeerConfig` in which every value knows its origin, or raises a `ConfigError` that names all problems at once.
"""

from tanist.config.layers import Loaded, load
from tanist.config.problems import ConfigError, Layer, Origin, Problem
from tanist.config.schema import PeerConfig, default_data
from tanist.config.specs import App, Gateway

__all__ = [
    "App",
    "ConfigError",
    "Gateway",
    "Layer",
    "Loaded",
    "Origin",
    "PeerConfig",
    "Problem",
    "default_data",
    "load",
]
