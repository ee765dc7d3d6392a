"""The process that computes a job folder.

    python -m TumorTwinLib.jobs.worker run JOB      compute it, or continue it, or find it finished
    python -m TumorTwinLib.jobs.worker check JOB    say whether it would run, without solving anything

Standard output carries events (see protocol) and nothing else. A pipe on standard input is obeyed: the line ``cancel``
and the end of the pipe both stop the job, so that no work outlives the program that wanted it. A terminal or a file is
not read, so that the same command runs under a batch system; there SIGTERM stops it. The exit code is in protocol.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path

WRONG_COMMAND = 2
_PATIENCE_S = 0.25  # for work that cannot be interrupted, such as reading a file or compiling
_MOST_THREADS = 8  # more would wait for memory
_THREAD_COUNTS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)  # fmt: skip


def main(arguments: list[str]) -> int:
    if len(arguments) != 2 or arguments[0] not in ("run", "check"):
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return WRONG_COMMAND
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if _is_pipe(0):
        _lead_own_group()
        threading.Thread(target=_obey_input, args=[stop], daemon=True).start()
    say = _take_standard_output(stop)
    _limit_threads()

    import logging

    from TumorTwinLib.jobs.folder_run import FolderRun  # these load NumPy, which reads the number of threads
    from TumorTwinLib.jobs.protocol import Start, encode
    from TumorTwinLib.version import VERSION

    say(encode(Start(os.getpid(), VERSION)))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    run = FolderRun(Path(arguments[1]).absolute(), lambda event: say(encode(event)), stop.is_set)
    threading.Thread(target=_stop_in_time, args=[run, stop], daemon=True).start()
    return (run.run() if arguments[0] == "run" else run.check()).exit_code


def _take_standard_output(stop: threading.Event) -> Callable[[bytes], None]:
    """A function that writes events; whatever else is printed from here on goes to standard error.

    When nobody reads any more, the job stops.
    """
    events = os.dup(1)
    os.dup2(2, 1)
    lock = threading.Lock()

    def say(line: bytes) -> None:
        with lock:
            try:
                while line:
                    line = line[os.write(events, line) :]
            except OSError:
                stop.set()

    return say


def _obey_input(stop: threading.Event) -> None:
    # os.read, since a thread inside sys.stdin.read would hold its lock when the interpreter ends.
    received = b""
    while b"cancel" not in received.splitlines():
        more = os.read(0, 4096)
        if not more:
            break
        received = (received + more)[-4096:]
    stop.set()


def _stop_in_time(run, stop: threading.Event) -> None:
    """End the job if it does not do so itself soon after it was asked to; all that is worth keeping is on disk."""
    stop.wait()
    threading.Event().wait(_PATIENCE_S)
    _leave(run.stop().exit_code)


def _is_pipe(descriptor: int) -> bool:
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _lead_own_group() -> None:
    """Lets whoever started us end us and all we started at once, and nothing else."""
    if hasattr(os, "setsid") and os.getpgid(0) != os.getpid():
        os.setsid()


def _limit_threads() -> None:
    """One core is left to the program that waits. Only where the user has not said otherwise."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for name in _THREAD_COUNTS:
        os.environ.setdefault(name, str(max(1, min(cores - 1, _MOST_THREADS))))


def _leave(code: int) -> None:
    """At once: libraries have been seen to hang or crash while an interpreter is taken down."""
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _leave(main(sys.argv[1:]))
