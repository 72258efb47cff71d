"""Runs the scenarios of Keyalike on the locks of Python: a worker that speaks `docs/PROTOCOL.md`.

It translates and records; it judges nothing, and no scenario is known to it.
"""

__version__ = "0.1.0"
