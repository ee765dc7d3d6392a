"""The worker as a command: what it says, how it stops, how it exits."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from TumorTwinLib.jobs.job_folder import write_job
from TumorTwinLib.jobs.processes import worker_environment
from TumorTwinLib.jobs.protocol import End, Ending, Error, Event, Frame, Notice, Progress, Start, decode
from TumorTwinLib.jobs.result_store import RESULT_FILE, read_result
from TumorTwinLib.jobs.spec import JOB_FILE, JobSpec, write_spec
from TumorTwinLib.patient import PatientData
from TumorTwinLib.version import VERSION

posix = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


def run_worker(*arguments, code: str | None = None) -> subprocess.CompletedProcess:
    """A worker with nothing on its standard input; ``code`` runs in its place."""
    python = [sys.executable, *(["-m", "TumorTwinLib.jobs.worker"] if code is None else ["-c", code])]
    return subprocess.run(
        [*python, *map(str, arguments)],
        stdin=subprocess.DEVNULL, capture_output=True, env=worker_environment(), check=False,
    )  # fmt: skip


def events_of(output: bytes) -> list[Event]:
    events = [decode(line) for line in output.splitlines()]
    assert None not in events
    return events


@pytest.fixture
def start() -> Iterator[Callable[[Path], subprocess.Popen]]:
    """Starts workers on pipes of ours."""
    with contextlib.ExitStack() as stack:

        def start(folder: Path) -> subprocess.Popen:
            process = subprocess.Popen(
                [sys.executable, "-m", "TumorTwinLib.jobs.worker", "run", str(folder)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=worker_environment(),
                start_new_session=True,
            )  # fmt: skip
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start


def hear_until(process: subprocess.Popen, wanted: Callable[[Event], bool]) -> None:
    heard = []
    for line in iter(process.stdout.readline, b""):
        heard.append(line)
        if wanted(decode(line)):
            return
    raise AssertionError(f"it ended before: {heard[-3:]} {process.stderr.read().decode()}")


def is_calibrating(event: Event) -> bool:
    return isinstance(event, Progress) and event.stage == "calibrate" and event.done >= 3


def rest_of(process: subprocess.Popen) -> tuple[int, list[Event], str]:
    output, log = process.communicate()
    return process.returncode, events_of(output), log.decode("utf-8")


def test_a_job_from_start_to_end(make_job):
    folder = make_job()
    run = run_worker("run", folder)
    assert run.returncode == 0
    events = events_of(run.stdout)
    assert events[0] == Start(events[0].pid, VERSION)
    assert events[-1] == End(Ending.COMPLETED, "Done.")
    assert sum(isinstance(event, Start | End) for event in events) == 2
    stages = list(dict.fromkeys(event.stage for event in events if isinstance(event, Progress)))
    assert stages == ["read", "calibrate", "forecast"]
    frames = [event for event in events if isinstance(event, Frame)]
    final = [frame for frame in frames if not frame.preview]
    assert [frame.day for frame in final] == [0.0, 30.0, 60.1875, 70.1875, 80.1875, 90.1875]
    assert frames[0].preview
    assert {frame.day for frame in frames if frame.preview} == {frame.day for frame in final}
    assert all((folder / frame.file).is_file() for frame in frames)
    result = read_result(folder)
    assert (result.ending, result.patient_id, result.frames) == (Ending.COMPLETED, "Lékař 7", tuple(final))
    assert result.forecast.days.tolist() == [frame.day for frame in final]
    assert result.notices == tuple(event.message for event in events if isinstance(event, Notice))
    assert result.notices[0].startswith("The scans say little about")
    assert result.fit.values.keys() == {row.name for row in result.forecast.parameters}
    assert "Error" not in run.stderr.decode("utf-8")


def test_a_finished_job_is_found_finished(make_job):
    folder = make_job()
    run_worker("run", folder)
    written = (folder / RESULT_FILE).read_text(encoding="utf-8")
    again = run_worker("run", folder)
    assert again.returncode == 0
    events = events_of(again.stdout)
    assert {type(event) for event in events} == {Start, Progress, Frame, End}
    assert [event.stage for event in events if isinstance(event, Progress)] == ["read"]
    assert (folder / RESULT_FILE).read_text(encoding="utf-8") == written


def test_a_changed_job_is_computed_anew_from_the_same_calibration(make_job):
    folder = make_job()
    run_worker("run", folder)
    first = read_result(folder)
    evaluations = {path: path.stat().st_mtime_ns for path in (folder / "checkpoint").rglob("*.json")}
    spec = JobSpec(horizon_days=45.0, frame_every_days=45.0, resolution_mm=4.0)
    write_spec(folder, spec)
    run_worker("run", folder)
    second = read_result(folder)
    assert {path: path.stat().st_mtime_ns for path in (folder / "checkpoint").rglob("*.json")} == evaluations
    assert second.fit.values == first.fit.values
    assert [frame.day for frame in second.frames] == [0.0, 30.0, 60.1875, 105.1875]
    write_spec(folder, JobSpec(horizon_days=45.0, frame_every_days=45.0, resolution_mm=5.0))
    run_worker("run", folder)
    assert read_result(folder).fit.values != first.fit.values


def test_a_calibration_alone(make_job):
    folder = make_job(horizon_days=None)
    run = run_worker("run", folder)
    result = read_result(folder)
    assert (run.returncode, result.ending, result.forecast, result.frames) == (0, Ending.COMPLETED, None, ())
    assert result.fit.log_covariance.shape == (4, 4)
    assert not any(isinstance(event, Frame) for event in events_of(run.stdout))


def test_a_forecast_from_known_parameters(make_job):
    folder = make_job(parameters={"proliferation_per_day": 0.05}, calibration_visits=2)
    run = run_worker("run", folder)
    result = read_result(folder)
    assert (run.returncode, result.fit) == (0, None)
    values = {row.name: row.value for row in result.forecast.parameters}
    assert values["proliferation_per_day"] == 0.05
    assert values["diffusivity_mm2_per_day"] == 0.13
    assert result.forecast.forecast_from_day == 30.0
    assert result.forecast.days.tolist() == [0.0, 30.0, 40.0, 50.0, 60.0]
    assert not (folder / "checkpoint").exists()


@pytest.mark.parametrize("arguments", [(), ("run",), ("walk", "folder"), ("run", "a", "b"), ("--help",)])
def test_a_wrong_command_is_explained(arguments):
    run = run_worker(*arguments)
    assert (run.returncode, run.stdout) == (2, b"")
    assert b"worker run JOB" in run.stderr
    assert b"Traceback" not in run.stderr


def cannot_do(make_job, tmp_path) -> dict[str, tuple[Path, str]]:
    one_visit = make_job("one visit", calibration_visits=1)
    unknown = make_job("unknown", parameters={"hope_per_day": 0.1})
    strange = make_job("strange")
    (strange / JOB_FILE).write_text('{"schema_version": 1, "colour": "red"}')
    no_brain = make_job("no brain")
    (no_brain / "patient" / "brain_mask.npy").unlink()
    absent = tmp_path / "absent"
    write_spec(tmp_path / "elsewhere", JobSpec(patient=str(absent)))
    return {
        "visits": (one_visit, "has 3 visits and 1 are to be used"),
        "parameter": (unknown, "Unknown parameter 'hope_per_day'"),
        "field": (strange, "has the unknown field 'colour'"),
        "array": (no_brain, "brain_mask.npy does not exist"),
        "patient": (tmp_path / "elsewhere", f"{absent} is no patient"),
        "job": (absent, "does not exist: choose the folder of a job"),
    }


@pytest.mark.parametrize("case", ["visits", "parameter", "field", "array", "patient", "job"])
@pytest.mark.parametrize("action", ["run", "check"])
def test_what_the_user_can_mend_gets_one_sentence(make_job, tmp_path, action, case):
    folder, sentence = cannot_do(make_job, tmp_path)[case]
    run = run_worker(action, folder)
    assert run.returncode == 1
    *_, error, end = events_of(run.stdout)
    assert error == Error("TumorTwinError", error.message)
    assert sentence in error.message
    assert "\n" not in error.message
    assert end == End(Ending.FAILED, error.message)
    assert b"Traceback" not in run.stderr
    if action == "run":
        assert read_result(folder).message == error.message
    else:
        assert not (folder / RESULT_FILE).exists()


def test_a_check_solves_and_writes_nothing(make_job):
    folder = make_job()
    before = sorted(path for path in folder.rglob("*"))
    run = run_worker("check", folder)
    assert run.returncode == 0
    assert events_of(run.stdout)[-1] == End(Ending.COMPLETED, "The job would run.")
    assert sorted(path for path in folder.rglob("*")) == before


def test_an_unexpected_error_is_told_shortly_and_in_full(make_job):
    folder = make_job()
    code = (
        "import sys; from TumorTwinLib.jobs import stages, worker\n"
        "def broken(*_, **__): raise ZeroDivisionError('by größe')\n"
        "stages.DigitalTwin.predict = broken\n"
        "sys.exit(worker.main(sys.argv[1:]))"
    )
    run = run_worker("run", folder, code=code)
    assert run.returncode == 1
    *_, error, end = events_of(run.stdout)
    assert error.type == "ZeroDivisionError"
    assert error.message == "Stopped by an unexpected error (ZeroDivisionError: by größe)."
    assert error.traceback.startswith("Traceback")
    assert "in broken" in error.traceback
    assert "in broken" in run.stderr.decode("utf-8")
    assert end == End(Ending.FAILED, error.message)
    result = read_result(folder)
    assert (result.ending, result.message) == (Ending.FAILED, error.message)
    assert result.fit is not None


def test_what_libraries_print_stays_out_of_the_events(make_job):
    code = (
        "import os, sys; from TumorTwinLib.jobs import stages, worker\n"
        "inner = stages.find_cancer\n"
        "def loud(name):\n"
        "    print('a library says hello'); sys.stdout.flush(); os.write(1, b'from C\\n'); os.system('echo child')\n"
        "    return inner(name)\n"
        "stages.find_cancer = loud\n"
        "sys.exit(worker.main(sys.argv[1:]))"
    )
    run = run_worker("run", make_job(), code=code)
    assert run.returncode == 0
    assert events_of(run.stdout)[-1].status is Ending.COMPLETED
    log = run.stderr.decode("utf-8")
    assert all(line in log for line in ("a library says hello", "from C", "child"))


def test_a_run_loads_no_more_than_it_needs(make_job):
    """Torch costs seconds and the CPU kernels are numba's; SimpleITK is for files, Slicer for nobody here."""
    code = (
        "import json, sys; from TumorTwinLib.jobs import worker\n"
        "code = worker.main(sys.argv[1:])\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})), file=sys.stderr)\n"
        "sys.exit(code)"
    )
    run = run_worker("run", make_job(), code=code)
    assert run.returncode == 0
    loaded = set(json.loads(run.stderr.decode("utf-8").splitlines()[-1]))
    assert "numba" in loaded
    unwanted = {"torch", "monai", "SimpleITK", "slicer", "vtk", "qt", "matplotlib", "pandas", "multiprocessing"}
    assert loaded & unwanted == set()


def test_threads_are_limited_unless_the_user_said_otherwise(make_job, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "77")
    code = (
        "import os, sys; from TumorTwinLib.jobs import worker; worker.main(sys.argv[1:])\n"
        "print(os.environ['OMP_NUM_THREADS'], os.environ['MKL_NUM_THREADS'], file=sys.stderr)"
    )
    omp, mkl = run_worker("check", make_job(), code=code).stderr.decode().splitlines()[-1].split()
    assert 1 <= int(omp) <= 8
    assert mkl == "77"


@pytest.mark.parametrize("how", ["cancel", "end of input", pytest.param("SIGTERM", marks=posix)])
def test_a_calibration_is_stopped_with_its_best_fit(start, long_job, how):
    worker = start(long_job)
    hear_until(worker, is_calibrating)
    if how == "cancel":
        worker.stdin.write(b"some words\ncan")
        worker.stdin.flush()
        worker.stdin.write(b"cel\n")
        worker.stdin.flush()
    elif how == "end of input":
        worker.stdin.close()
        worker.stdin = None
    else:
        worker.send_signal(signal.SIGTERM)
    code, events, log = rest_of(worker)
    assert code == 3
    assert events[-1] == End(Ending.CANCELLED, "Stopped on request; the best fit so far is kept.")
    assert "Traceback" not in log
    result = read_result(long_job)
    assert result.ending is Ending.CANCELLED
    assert result.fit.iterations >= 2
    assert result.fit.values.keys() >= {"proliferation_per_day"}
    assert (result.forecast, result.frames) == (None, ())


def test_a_forecast_is_stopped_with_its_frames(start, make_job):
    folder = make_job(horizon_days=1500.0, frame_every_days=10.0)
    worker = start(folder)
    hear_until(worker, lambda event: isinstance(event, Frame) and not event.preview and event.day > 60.1875)
    worker.stdin.write(b"cancel\n")
    worker.stdin.flush()
    code, events, _ = rest_of(worker)
    assert code == 3
    result = read_result(folder)
    assert (result.ending, result.forecast) == (Ending.CANCELLED, None)
    assert 4 <= len(result.frames) < 153
    assert all((folder / frame.file).is_file() for frame in result.frames)
    assert result.fit.log_covariance is not None  # the calibration was complete
    assert result.message == f"Stopped on request; the forecast up to day {result.frames[-1].day:.0f} is kept."
    assert events[-1].message == result.message


def test_work_that_cannot_be_interrupted_does_not_hold_up_the_end(start, make_job, tmp_path, monkeypatch):
    """As when a file is read or kernels are compiled: the end comes all the same, with a result."""
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'TumorTwinLib.jobs.worker' in ' '.join(sys.orig_argv):\n"
        "    import time\n"
        "    from TumorTwinLib.jobs import folder_run\n"
        "    folder_run.load_patient = lambda *_: time.sleep(3600)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    folder = make_job()
    worker = start(folder)
    hear_until(worker, lambda event: isinstance(event, Progress))
    worker.stdin.write(b"cancel\n")
    worker.stdin.flush()
    code, events, _ = rest_of(worker)
    assert code == 3
    assert events[-1] == End(Ending.CANCELLED, "Stopped on request before anything was found.")
    assert read_result(folder).ending is Ending.CANCELLED


@posix
def test_nobody_listening_stops_the_work(start, long_job):
    worker = start(long_job)
    hear_until(worker, is_calibrating)
    worker.stdout.close()
    worker.stdout = None
    _, log = worker.communicate()
    assert worker.returncode == 3
    assert b"Traceback" not in log
    assert read_result(long_job).ending is Ending.CANCELLED


def test_the_shipped_patient_is_read_from_where_it_lies(tmp_path, repository):
    shipped = repository / "Resources" / "SampleData" / "glioblastoma"
    write_job(tmp_path / "job", JobSpec(patient=str(shipped), horizon_days=30.0, resolution_mm=6.0))
    run = run_worker("run", tmp_path / "job")
    assert run.returncode == 0
    result = read_result(tmp_path / "job")
    assert result.patient_id == PatientData(imaging_dir=shipped).patient_id
    assert result.forecast.provenance["inputs"]["patient"] == str(shipped)
