"""Dragoman, an AI gateway. Programs that want the engines without a server import :mod:`dragoman.core`."""

__version__ = "0.1.0"
