"""Many independent jobs, a file each: spread over processes, stopped and gone on with at will."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path


def run_all(
    job: Callable[[int], dict], seeds: Sequence[int], folder: Path, processes: int = 2
) -> tuple[list[dict], dict[int, str]]:
    """The results of ``job`` for these seeds, and the errors of those that failed; what is in ``folder`` is not redone.

    Args:
        job: a function that a process can import; its result is written to ``folder/<seed>.json``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [seed for seed in seeds if not _file(folder, seed).is_file()]
    failed: dict[int, str] = {}
    if missing:
        print(f"{folder.name}: {len(seeds) - len(missing)} of {len(seeds)} done", flush=True)
        with ProcessPoolExecutor(processes) as pool:
            waiting = {pool.submit(_one, job, seed, folder): seed for seed in missing}
            for number, done in enumerate(as_completed(waiting), start=1):
                if error := done.exception():
                    failed[waiting[done]] = f"{type(error).__name__}: {error}"
                    print(f"{folder.name}: seed {waiting[done]} failed: {failed[waiting[done]]}", flush=True)
                elif number % 20 == 0:
                    print(f"{folder.name}: {number} of {len(missing)}", flush=True)
    return read_all(seeds, folder), failed


def read_all(seeds: Sequence[int], folder: Path) -> list[dict]:
    """The results that are there, in the order of the seeds."""
    files = [_file(folder, seed) for seed in seeds]
    return [json.loads(file.read_text(encoding="utf-8")) for file in files if file.is_file()]


def _one(job: Callable[[int], dict], seed: int, folder: Path) -> None:
    file = _file(folder, seed)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(job(seed)), encoding="utf-8")
    os.replace(part, file)  # a file is whole or not there


def _file(folder: Path, seed: int) -> Path:
    return folder / f"{seed}.json"
