"""Paths for operators: they need a key with ``admin``, or a gateway without any keys."""
