"""What can go wrong during a run, each inflicted on the real panel: used by a test and by the benchmark that counts.

After every fault the panel must have said what happened, in a sentence, and the scene must be usable: the next run
goes through.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import slicer

PATIENCE_S = 300
_LIMITED_MEMORY = """
import resource, sys; from dataclasses import replace; from pathlib import Path
from TumorTwinLib.jobs import job_folder, observer, spec, stages, worker
folder = Path(sys.argv[4]); small = replace(spec.read_spec(folder), resolution_mm=8.0, tolerance=0.01)
stages.compute(small, job_folder.load_patient(small, folder), observer.Observer())
used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (60 << 20),) * 2)
sys.exit(worker.main(sys.argv[3:]))
"""
_LIMITED_DISK = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
os.environ['NUMBA_CACHE_DIR'] = os.devnull
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


class Run:
    """A panel with the phantom loaded, and hands on its run.

    Args:
        host: with the module loaded.
        folder: for scripts, empty.
    """

    def __init__(self, host, folder: Path) -> None:
        self.host, self.folder = host, folder
        self.load_phantom()

    @property
    def panel(self):
        return self.host.widget.panel

    @property
    def ui(self):
        return self.host.widget.ui

    @property
    def control(self):
        return self.panel.runActions.control

    def load_phantom(self, resolution_mm: float = 4.0, tolerance: float = 1e-3) -> None:
        from TumorTwinPanel.patient_loading import addPatient
        from TumorTwinPanel.phantom import phantomPatient

        self.panel.patientActions.choose(addPatient(phantomPatient()))
        self.settings(resolution_mm, tolerance)

    def settings(self, resolution_mm: float, tolerance: float) -> None:
        parameters = self.panel.parameters
        parameters.horizonDays, parameters.outputEveryDays = 30, 10
        parameters.resolutionMm, parameters.tolerance = resolution_mm, tolerance
        self.panel.refresh()

    def apply(self) -> None:
        self.host.click(self.ui.applyButton)

    def apply_to_a_long_run(self) -> None:
        """And wait until it calibrates, which then takes some seconds."""
        self.settings(resolution_mm=3.0, tolerance=1e-5)
        self.apply()
        self.until(lambda: self.control.job and self.control.job.progress and self.control.job.progress.done > 0)

    def until(self, condition: Callable[[], object]) -> None:
        self.host.wait_until(lambda: bool(condition()), PATIENCE_S)

    def until_over(self) -> None:
        self.until(lambda: not self.control.busy)

    def interpreter(self, code: str) -> str:
        """A program that runs this Python code in place of a worker."""
        script = self.folder / "stand-in"
        script.write_text(f"#!{sys.executable}\n{code}\n", encoding="utf-8")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        return str(script)

    def must_go_on(self, sentence: str) -> None:
        """Raises AssertionError unless the panel has said so and is usable."""
        text = f"{self.ui.statusLabel.text}\n{self.ui.reasonsLabel.text}"
        assert sentence in text, text
        assert self.ui.applyButton.text == "Apply"
        assert self.host.messages == []
        self.control.interpreter = None
        self.load_phantom()
        assert self.ui.applyButton.isEnabled(), self.ui.reasonsLabel.text
        self.apply()
        self.until_over()
        assert self.ui.statusLabel.text.startswith("Done in "), self.ui.statusLabel.text
        assert self.panel.results.forecast.day_count == 6


# The faults


def _signal(number: int) -> Callable[[Run], None]:
    def inflict(run: Run) -> None:
        run.apply_to_a_long_run()
        os.kill(run.control.job.conversation.worker_pid, number)
        run.until_over()

    return inflict


def _worker(code: str, resolution_mm: float = 4.0) -> Callable[[Run], None]:
    def inflict(run: Run) -> None:
        run.control.interpreter = run.interpreter(code)
        run.settings(resolution_mm, 1e-3)
        run.apply()
        run.until_over()

    return inflict


def _hang(run: Run) -> None:
    run.apply_to_a_long_run()
    os.kill(run.control.job.conversation.worker_pid, signal.SIGSTOP)
    run.apply()  # which is Cancel now
    run.until_over()


def _no_interpreter(run: Run) -> None:
    run.control.interpreter = str(run.folder / "there is none")
    run.apply()
    run.until_over()


@contextlib.contextmanager
def _failing(name: str) -> Iterator[None]:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with mock.patch(name, side_effect=full):
        yield


def _disk_full_before(run: Run) -> None:
    with _failing("TumorTwinPanel.run_actions.continuedJobFolder"):
        run.apply()


def _disk_full_while_writing(run: Run) -> None:
    with _failing("TumorTwinPanel.run_control.write_job"):
        run.apply()
        run.until_over()


def _folder_deleted(run: Run) -> None:
    run.apply_to_a_long_run()
    shutil.rmtree(run.control.request.folder)
    run.until_over()


def _scene_closed(run: Run) -> None:
    run.apply_to_a_long_run()
    worker = run.control.job
    slicer.mrmlScene.Clear(0)
    run.host.process_events()
    assert worker.state.over


def _inputs_deleted(run: Run) -> None:
    run.apply_to_a_long_run()
    selection = run.panel.selection()
    for node in (selection.visits[0].segmentation, selection.visits[1].images["T1CE"], selection.brain_mask):
        slicer.mrmlScene.RemoveNode(node)
    run.settings(3.0, 1e-5)
    run.until_over()


def _input_deleted_while_preparing(run: Run) -> None:
    run.apply()
    slicer.mrmlScene.RemoveNode(run.panel.selection().visits[2].segmentation)
    run.until_over()


def _results_deleted(run: Run) -> None:
    run.apply_to_a_long_run()
    run.until(lambda: run.panel.results.forecast)
    forecast = run.panel.results.forecast
    for node in (forecast.density, forecast.browser.GetMasterSequenceNode(), forecast.regions, forecast.browser):
        slicer.mrmlScene.RemoveNode(node)
    run.until_over()


def _second_run(run: Run) -> None:
    run.apply_to_a_long_run()
    job, request = run.control.job, run.control.request
    run.control.start(request)
    assert run.control.job is job
    run.until_over()


def _second_click(run: Run) -> None:
    run.apply()
    run.apply()
    run.until_over()


def _empty_segmentation(run: Run) -> None:
    run.panel.selection().visits[0].segmentation.GetSegmentation().RemoveAllSegments()
    run.apply()
    run.until_over()


FAULTS: dict[str, tuple[Callable[[Run], None], str]] = {
    "worker killed": (_signal(signal.SIGKILL), "The job was killed from outside"),
    "worker crashed": (_signal(signal.SIGSEGV), "The job ended unexpectedly with SIGSEGV"),
    "worker hangs": (_hang, "Stopped. "),
    "worker cannot start": (_no_interpreter, "The job could not be started"),
    "worker says nothing": (_worker("import sys; sys.exit(1)"), "The job ended unexpectedly with exit code 1"),
    "memory runs out": (_worker(_LIMITED_MEMORY, 0.7), "The computer ran out of memory"),
    "disk full before the job": (_disk_full_before, "No folder for the job can be made (No space left on device)"),
    "disk full while writing the job": (_disk_full_while_writing, "The job could not be written to "),
    "disk full while computing": (_worker(_LIMITED_DISK), "is full: free some space"),
    "job folder deleted": (_folder_deleted, "Done in "),
    "scene closed": (_scene_closed, "Stopped, since the scene was closed."),
    "inputs deleted": (_inputs_deleted, "Done in "),
    "input deleted while preparing": (_input_deleted_while_preparing, "Done in "),
    "results deleted": (_results_deleted, "Done in "),
    "second run": (_second_run, "Done in "),
    "second click": (_second_click, "Stopped."),
    "segmentation without segments": (_empty_segmentation, "has no segments: segment the tumor first."),
}


def survive(run: Run, name: str) -> None:
    """Inflict a fault.

    Raises:
        AssertionError: the panel did not say what happened, or is not usable any more.
    """
    inflict, sentence = FAULTS[name]
    inflict(run)
    run.must_go_on(sentence)
