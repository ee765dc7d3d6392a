"""CPU time of one call, free of compiling and, as far as can be, of the other programs on the machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def least_cpu_seconds(call: Callable[[], Result], repeats: int) -> tuple[float, Result]:
    """Smallest CPU time of ``repeats`` calls, over all threads, and the last result.

    CPU time, not wall time, as others may use the machine; the smallest, as they also spoil its caches. The kernels
    must have been compiled by an earlier call.
    """
    least = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        result = call()
        least = min(least, time.process_time() - start)
    return least, result
