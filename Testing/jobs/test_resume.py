"""A job that was killed outright continues, and ends in the same numbers as one that was not."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from Testing.jobs.conftest import LONG
from Testing.jobs.test_stores import assert_same
from TumorTwinLib.jobs.conversation import Listener, State
from TumorTwinLib.jobs.job_folder import write_job
from TumorTwinLib.jobs.processes import end_process_group
from TumorTwinLib.jobs.protocol import Ending
from TumorTwinLib.jobs.result_store import RESULT_FILE, JobResult
from TumorTwinLib.jobs.runner import run_job_folder, start_job

HANG_S = 120


def kill_when(folder: Path, pattern: str, count: int) -> None:
    """Start the job and kill its worker as soon as so many files are there."""
    job = start_job(folder)
    until = time.monotonic() + HANG_S
    while len(list(folder.glob(pattern))) < count:
        job.poll()
        assert not job.state.over, f"{job.message} {job.details}"
        assert time.monotonic() < until
        time.sleep(0.002)
    end_process_group(job.conversation.worker_pid)
    job.wait(HANG_S)
    assert job.state is State.CRASHED
    assert not (folder / RESULT_FILE).exists()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, patient) -> JobResult:
    """What `long_job` gives when nothing happens to it."""
    folder = tmp_path_factory.mktemp("undisturbed")
    write_job(folder, LONG, patient)
    return run_job_folder(folder)


def untimed(result: JobResult) -> JobResult:
    return replace(result, seconds=0.0)


def times(folder: Path, pattern: str) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.glob(pattern)}


@pytest.mark.skipif(os.name == "nt", reason="processes of POSIX")
def test_killed_in_the_calibration(long_job, undisturbed):
    assert undisturbed.fit.iterations >= 8
    for count in (3, 7):  # twice, at different points
        kill_when(long_job, "checkpoint/*/*.json", count)
    before = times(long_job, "checkpoint/*/*.json")
    assert 7 <= len(before) < undisturbed.fit.iterations
    result = run_job_folder(long_job)
    assert result.ending is Ending.COMPLETED
    assert_same(untimed(result), untimed(undisturbed))
    after = times(long_job, "checkpoint/*/*.json")
    assert len(after) == undisturbed.fit.iterations
    assert after.items() >= before.items()  # what was solved was not solved again


@pytest.mark.skipif(os.name == "nt", reason="processes of POSIX")
def test_killed_in_the_forecast(make_job, tmp_path):
    folder = make_job(horizon_days=1500.0, frame_every_days=10.0)
    twin = tmp_path / "undisturbed"
    shutil.copytree(folder, twin)
    expected = run_job_folder(twin)
    kill_when(folder, "frames/*.npy", 10)
    fitted, frames = times(folder, "checkpoint/*/*.json"), times(folder, "frames/*.npy")
    assert 10 <= len(frames) < len(expected.frames)
    stages = []
    result = run_job_folder(
        folder, Listener(on_progress=lambda progress: stages.append((progress.stage, progress.done)))
    )
    assert_same(untimed(result), untimed(expected))
    assert times(folder, "checkpoint/*/*.json") == fitted  # a finished calibration is not repeated
    assert max(done for stage, done in stages if stage == "calibrate") == 0
    assert times(folder, "frames/*.npy").items() >= frames.items()  # finished frames are kept
    assert not list(folder.rglob("*.part"))


def test_a_cancelled_job_continues_too(long_job, undisturbed):
    job = start_job(long_job)
    until = time.monotonic() + HANG_S
    while job.progress is None or job.progress.done < 4:
        job.poll()
        assert time.monotonic() < until
        time.sleep(0.005)
    job.cancel()
    assert job.wait(HANG_S)
    assert job.state is State.CANCELLED
    assert_same(untimed(run_job_folder(long_job)), untimed(undisturbed))


def test_a_damaged_checkpoint_is_computed_again(make_job):
    folder = make_job()
    expected = run_job_folder(folder)
    (folder / RESULT_FILE).unlink()
    first, second, third, *_ = sorted(folder.glob("checkpoint/*/*.json"))
    first.write_text("{")
    second.write_text('{"blocks": {}, "plan": 3}')
    third.write_bytes(b"")
    result = run_job_folder(folder)
    assert_same(untimed(result), untimed(expected))
    assert all(path.stat().st_size > 100 for path in (first, second, third))


def test_a_checkpoint_of_another_patient_is_not_used(make_job, patient):
    folder = make_job()
    expected = run_job_folder(folder)
    adc = folder / "patient" / "visit3_ADC.npy"
    data = bytearray(adc.read_bytes())
    data[-4 * 5000] ^= 0x10  # one voxel of the last visit
    adc.write_bytes(data)
    result = run_job_folder(folder)
    assert result.fingerprint != expected.fingerprint
    assert len(list((folder / "checkpoint").iterdir())) == 2
