"""Errors the user reads: one sentence that says what is wrong, where, and what to do."""

from __future__ import annotations


class TumorTwinError(Exception):
    """Something the user can mend. The message is the whole of what the user sees."""


class CancelledError(TumorTwinError):
    """The user asked to stop; whatever was complete at that moment has been kept."""
