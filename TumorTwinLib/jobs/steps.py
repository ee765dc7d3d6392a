"""Work in steps: a generator that yields between them, so that a panel can let the user go on."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

_Result = TypeVar("_Result")


def run_through(steps: Generator[None, None, _Result]) -> _Result:
    """All steps at once; what the generator returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
