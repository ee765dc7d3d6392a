"""How long `import TumorTwinLib` takes: median of fresh interpreters, less that of ones that import nothing."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from Testing.Benchmarks.results import record

REPEATS = 15


def _seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def main() -> None:
    # alternating, so that a slow spell of the machine falls on both
    pairs = [(_seconds("import TumorTwinLib"), _seconds("pass")) for _ in range(REPEATS)]
    import_ms = 1000 * (statistics.median(a for a, _ in pairs) - statistics.median(b for _, b in pairs))
    print(f"import TumorTwinLib: {import_ms:.1f} ms")
    record("house", "import_ms", import_ms, "ms", 50.0, "lower", "make bench")


if __name__ == "__main__":
    main()
