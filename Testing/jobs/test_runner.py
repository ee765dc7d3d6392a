"""Jobs in a child process: what reaches the caller, and every way a worker can go wrong."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from Testing.jobs.test_stores import assert_same
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.jobs import processes
from TumorTwinLib.jobs.conversation import Listener, State
from TumorTwinLib.jobs.frames import read_frame
from TumorTwinLib.jobs.processes import find_interpreter, worker_environment
from TumorTwinLib.jobs.protocol import OUT_OF_MEMORY, End, Ending, Frame, Start, encode
from TumorTwinLib.jobs.result_store import read_result
from TumorTwinLib.jobs.runner import ProcessJob, run_job_folder, start_job

HANG_S = 120  # only so that a fault shows as a failure and not as a hang
posix = pytest.mark.skipif(os.name == "nt", reason="processes of POSIX")


class Told:
    """Everything a job tells, and in which thread."""

    def __init__(self) -> None:
        self.events: list = []
        self.finished = 0
        self.threads: set[int] = set()
        self.listener = Listener(self.hear, self.hear, self.hear, self.finish)

    def hear(self, event) -> None:
        self.threads.add(threading.get_ident())
        self.events.append(event)

    def finish(self) -> None:
        self.threads.add(threading.get_ident())
        self.finished += 1

    @property
    def frames(self) -> list[Frame]:
        return [event for event in self.events if isinstance(event, Frame)]


@pytest.fixture
def told() -> Told:
    return Told()


def wait_for(job: ProcessJob, condition) -> None:
    """Poll until the condition holds."""
    until = time.monotonic() + HANG_S
    while not condition():
        job.poll()
        assert not job.state.over, f"it was over before: {job.state} {job.message}\n{job.details}"
        assert time.monotonic() < until
        time.sleep(0.005)


def is_calibrating(job: ProcessJob):
    return lambda: job.progress is not None and job.progress.stage == "calibrate" and job.progress.done >= 3


def is_gone(pid: int) -> bool:
    """Also of a process that has ended and whose end nobody has asked for."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return False


def test_a_job_is_run_and_its_result_returned(make_job, told):
    folder = make_job()
    result = run_job_folder(folder, told.listener)
    assert_same(result, read_result(folder))
    assert result.ending is Ending.COMPLETED
    assert told.finished == 1
    assert told.threads == {threading.get_ident()}
    assert tuple(frame for frame in told.frames if not frame.preview) == result.frames
    field = read_frame(folder, result.frames[-1]).array
    assert (field == result.forecast.cellularity[-1]).all()


def test_nothing_is_told_between_polls(make_job, told):
    job = start_job(make_job(), told.listener)
    assert job.state is State.STARTING
    with pytest.raises(TumorTwinError, match="still running"):
        job.result()
    until = time.monotonic() + HANG_S
    while job._process.poll() is None:  # the process ends by itself; nobody has listened yet
        assert time.monotonic() < until
        time.sleep(0.01)
    assert (told.events, told.finished, job.state) == ([], 0, State.STARTING)
    assert job.wait(HANG_S)
    assert (told.finished, job.state, job.message) == (1, State.COMPLETED, "Done.")
    job.poll()
    job.cancel()
    assert job.wait(0)
    assert told.finished == 1
    assert job.stats["frames"] == len(job.conversation.frames)
    assert job.stats["stray_lines"] == 0


def test_polls_keep_to_their_budget(make_job, told):
    told.listener = Listener(on_frame=lambda frame: (time.sleep(0.02), told.hear(frame)), on_finished=told.finish)
    job = start_job(make_job(), told.listener)
    counts = [0]
    until = time.monotonic() + HANG_S
    while not told.finished:
        job.poll(budget_s=0.01)
        counts.append(len(told.frames))
        assert time.monotonic() < until
        time.sleep(0.001)
    assert max(later - earlier for earlier, later in zip(counts, counts[1:], strict=False)) == 1
    assert counts[-1] >= 6


def test_a_job_is_cancelled_and_its_best_fit_kept(long_job, told):
    job = start_job(long_job, told.listener)
    assert not job.wait(0.01)
    wait_for(job, is_calibrating(job))
    assert job.state is State.RUNNING
    job.cancel()
    assert job.state is State.CANCELLING
    job.cancel()
    assert job.wait(HANG_S)
    assert (job.state, told.finished) == (State.CANCELLED, 1)
    assert job.message == "Stopped on request; the best fit so far is kept."
    assert job.result().fit.iterations >= 2


def test_a_job_can_be_cancelled_before_it_has_begun(make_job, told):
    job = start_job(make_job(), told.listener)
    job.cancel()
    assert job.wait(HANG_S)
    assert (job.state, told.finished) == (State.CANCELLED, 1)
    assert job.result().message == "Stopped on request before anything was found."


def test_a_failure_is_one_sentence(make_job, told):
    job = start_job(make_job(calibration_visits=1), told.listener)
    job.wait(HANG_S)
    assert (job.state, told.finished) == (State.FAILED, 1)
    assert "1 are to be used" in job.message
    with pytest.raises(TumorTwinError, match="1 are to be used"):
        job.result()


def test_an_interrupt_while_waiting_stops_the_worker(long_job):
    pids = []

    def interrupt(_) -> None:
        pids.append(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job_folder(long_job, Listener(on_progress=interrupt))
    assert read_result(long_job).ending is Ending.CANCELLED
    assert pids


# A worker that is ended from outside


@posix
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_killed_worker_is_noticed_and_can_be_continued(long_job, told, number):
    job = start_job(long_job, told.listener)
    wait_for(job, is_calibrating(job))
    os.kill(job.conversation.worker_pid, number)
    assert job.wait(HANG_S)
    assert (job.state, told.finished) == (State.CRASHED, 1)
    expected = "memory" if number == signal.SIGKILL else "SIGSEGV"
    assert expected in job.message
    with pytest.raises(TumorTwinError, match=expected):
        job.result()
    assert run_job_folder(long_job).ending is Ending.COMPLETED


@posix
def test_the_worker_does_not_outlive_its_parent(long_job):
    parent = (
        "import sys, time; from pathlib import Path\n"
        "from TumorTwinLib.jobs.runner import start_job\n"
        "job = start_job(Path(sys.argv[1]))\n"
        "while not (job.progress and job.progress.done >= 3): job.poll(); time.sleep(0.01)\n"
        "print(job.conversation.worker_pid, flush=True); time.sleep(3600)\n"
    )
    command = [sys.executable, "-c", parent, str(long_job)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=worker_environment()) as process:
        worker_pid = int(process.stdout.readline())
        assert not is_gone(worker_pid)
        process.kill()
    until = time.monotonic() + HANG_S
    while not is_gone(worker_pid):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert read_result(long_job).ending is Ending.CANCELLED


@posix
def test_the_worker_leads_a_group_of_its_own_however_it_was_started(make_job):
    """QProcess starts no session; yet the worker must be killable with all it started and with nothing else."""
    command = processes.worker_command(make_job())
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=worker_environment())
    with process:
        process.stdout.readline()
        assert os.getpgid(process.pid) == process.pid
        assert os.getpgid(0) != process.pid
        processes.end_process_group(process.pid)
        assert process.wait(HANG_S) == -signal.SIGKILL
    processes.end_process_group(process.pid)  # nobody there any more


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="how much memory is used is asked of Linux")
def test_memory_that_runs_out_gets_its_own_sentence(make_job, stand_in, told):
    """A real limit, 100 MiB above what the same job takes on a coarse grid, which the arrays of a fine one exceed."""
    limited = stand_in(
        "import resource, sys; from dataclasses import replace; from pathlib import Path\n"
        "from TumorTwinLib.jobs import job_folder, observer, spec, stages, worker\n"
        "folder = Path(sys.argv[4]); small = replace(spec.read_spec(folder), resolution_mm=8.0)\n"
        "stages.compute(small, job_folder.load_patient(small, folder), observer.Observer())\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (100 << 20),) * 2)\n"
        "sys.exit(worker.main(sys.argv[3:]))"
    )
    job = start_job(make_job(resolution_mm=0.8), told.listener, interpreter=limited)
    job.wait(HANG_S)
    assert told.finished == 1
    if (
        job.state is State.CRASHED
    ):  # the limit was met inside a C library, which ends the process without a word to Python
        assert "emory" in job.details
        return
    assert job.state is State.FAILED, job.details
    assert job.message == OUT_OF_MEMORY
    assert "MemoryError" in job.details


def test_a_library_that_dies_for_want_of_memory_is_understood(make_job, told, stand_in):
    last_words = "print('LLVM ERROR: out of memory', file=sys.stderr, flush=True); os.abort()"
    job = start_job(make_job(), told.listener, interpreter=stand_in(SAY + STARTED + last_words))
    job.wait(HANG_S)
    assert (job.state, job.message) == (State.CRASHED, OUT_OF_MEMORY)


@posix
def test_a_full_disk_gets_its_own_sentence_and_the_job_continues_when_there_is_room(make_job, stand_in, told):
    """A real limit on file size, which frames exceed and checkpoints do not."""
    limited = stand_in(
        "import os, resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "os.environ['NUMBA_CACHE_DIR'] = os.devnull\n"
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    folder = make_job()
    job = start_job(folder, told.listener, interpreter=limited)
    job.wait(HANG_S)
    assert (job.state, told.finished) == (State.FAILED, 1)
    assert job.message.startswith(f"The disk of {folder} is full: free some space")
    assert not list(folder.rglob("*.part"))
    assert told.frames == []
    assert list((folder / "checkpoint").rglob("*.json"))
    assert run_job_folder(folder).ending is Ending.COMPLETED


# A worker that does not keep to the protocol

SAY = "import os, sys, time\nsay = lambda line: os.write(1, line)\n"
STARTED = f"say({encode(Start(4242424, '0'))!r})\n"
ENDED = f"say({encode(End(Ending.COMPLETED, 'Done.'))!r})\n"


@pytest.mark.parametrize(
    ("behaviour", "state", "message"),
    [
        (STARTED + ENDED, State.COMPLETED, "Done."),
        (STARTED + ENDED + ENDED, State.COMPLETED, "Done."),
        (STARTED + ENDED + "sys.exit(1)", State.CRASHED, "then ended with exit code 1"),
        (STARTED + ENDED + "os.abort()", State.CRASHED, "then ended with SIGABRT"),
        (STARTED, State.CRASHED, "unexpectedly with exit code 0"),
        (STARTED + "sys.exit('Lékař is away')", State.CRASHED, "exit code 1; the end of its log: Lékař is away"),
        ("sys.exit(3)", State.CRASHED, "unexpectedly with exit code 3; the end of its log is empty."),
        ("raise ImportError('no numpy')", State.CRASHED, "ImportError: no numpy"),
        (STARTED + "say(b'{\"event\": \"en')", State.CRASHED, "unexpectedly with exit code 0"),
        ("say(b'\\xff garbage \\n' * 9999)\n" + STARTED + ENDED, State.COMPLETED, "Done."),
    ],
    ids=[
        "right", "two ends", "wrong code", "crash after end", "no end", "words", "code only", "import", "cut", "noise",
    ],
)  # fmt: skip
def test_completion_comes_once_whatever_the_worker_does(make_job, told, stand_in, behaviour, state, message):
    job = start_job(make_job(), told.listener, interpreter=stand_in(SAY + behaviour))
    assert job.wait(HANG_S)
    for _ in range(3):
        job.poll()
    assert (job.state, told.finished) == (state, 1)
    assert message in job.message


@pytest.mark.parametrize(("ended", "state"), [(True, State.COMPLETED), (False, State.CANCELLED)])
def test_a_worker_that_stays_is_killed_after_its_grace(make_job, told, stand_in, ended, state):
    """With what it started: a child of it holds the pipes open too."""
    behaviour = (
        "import subprocess\nchild = subprocess.Popen(['sleep', '3600'])\n"
        'say(b\'{"event": "start", "pid": %d, "version": "%d"}\\n\' % (os.getpid(), child.pid))\n'
    )
    behaviour += (ENDED if ended else "") + "time.sleep(3600)"
    job = start_job(make_job(), told.listener, interpreter=stand_in(SAY + behaviour), grace_s=0.3)
    wait_for(job, lambda: job.state is not State.STARTING)
    if not ended:
        job.cancel()
    assert job.wait(HANG_S)
    assert (job.state, told.finished) == (state, 1)
    assert is_gone(job.conversation.worker_pid)
    if not ended:
        assert job.result().message == "Stopped on request, by force; frames until then are kept."


def test_a_grandchild_that_holds_the_pipe_does_not_hold_up_the_end(make_job, told, stand_in, request):
    behaviour = (
        STARTED + ENDED + "import subprocess\n"
        "child = subprocess.Popen(['sleep', '3600'], start_new_session=True)\n"
        "print(child.pid, file=sys.stderr)"
    )
    folder = make_job()
    job = start_job(folder, told.listener, interpreter=stand_in(SAY + behaviour))
    assert job.wait(HANG_S)
    request.addfinalizer(lambda: os.kill(int((folder / "log.txt").read_text()), signal.SIGKILL))
    assert (job.state, told.finished) == (State.COMPLETED, 1)


def test_a_program_that_is_not_there_is_told(make_job, told, tmp_path):
    job = start_job(make_job(), told.listener, interpreter=str(tmp_path / "no python"))
    assert job.wait(HANG_S)
    assert (job.state, told.finished) == (State.CRASHED, 1)
    assert "could not be started" in job.message
    assert "no python" in job.message


def test_the_callers_environment_is_left_alone(make_job, monkeypatch, told):
    monkeypatch.setenv("PYTHONPATH", f"first{os.pathsep}second")
    before = dict(os.environ)
    run_job_folder(make_job(), told.listener)
    assert dict(os.environ) == before
    library, *others = worker_environment()["PYTHONPATH"].split(os.pathsep)
    assert (Path(library) / "TumorTwinLib").is_dir()
    assert others == ["first", "second"]
    assert worker_environment()["PYTHONUTF8"] == worker_environment()["PYTHONUNBUFFERED"] == "1"


def test_slicers_own_python_is_used_inside_slicer(monkeypatch, tmp_path):
    launcher = tmp_path / ("PythonSlicer.exe" if os.name == "nt" else "PythonSlicer")
    launcher.write_text("")
    launcher.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SLICER_HOME", raising=False)
    assert find_interpreter() == sys.executable
    monkeypatch.setenv("SLICER_HOME", str(tmp_path))
    assert find_interpreter() == str(launcher)
    launcher.unlink()
    assert find_interpreter() == sys.executable
