"""A job in a QProcess: Slicer's event loop carries what the worker says, so that nothing waits for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import qt

from TumorTwinLib.jobs.conversation import Listener
from TumorTwinLib.jobs.processes import LOG_FILE, end_process_group, worker_command, worker_environment
from TumorTwinLib.jobs.runner import JobHandle

_DELIVER_EVERY_MS = 100
_DELIVER_FOR_S = 0.03  # at a time, so that most of the time is the user's
_STEP_EVERY_MS = 2  # not 0: Qt may run two steps of an idle timer before it turns to the user


class QtJob(JobHandle):
    """A job under way.

    Args:
        folder: of the job.
        listener: called from Slicer's event loop, a little at a time.
        parent: QObject that owns process and timer.
        interpreter: the Python to use; Slicer's own by default.
    """

    def __init__(self, folder: Path, listener: Listener, parent, interpreter: str | None = None) -> None:
        super().__init__(folder, listener)
        self._timer = qt.QTimer(parent)
        self._timer.setInterval(_DELIVER_EVERY_MS)
        self._timer.timeout.connect(self.onTimer)
        self._process = qt.QProcess(parent)
        self._process.setProcessEnvironment(_environment(worker_environment()))
        self._process.setStandardErrorFile(str(folder / LOG_FILE))
        self._process.readyReadStandardOutput.connect(self.onOutput)
        self._process.finished.connect(self.onFinished)
        self._process.errorOccurred.connect(self.onError)
        program, *arguments = worker_command(folder, interpreter)
        self._timer.start()
        self._process.start(program, arguments)

    def stopNow(self, patienceMs: int = 1000) -> None:
        """Cancel and wait for the end, for a panel that goes away."""
        self.cancel()
        if not self.state.over and not self._process.waitForFinished(patienceMs):
            self._kill()
            self._process.waitForFinished(patienceMs)
        self._timer.stop()

    # Qt's signals

    def onOutput(self, *_args) -> None:
        self.conversation.feed(self._process.readAllStandardOutput().data())

    def onFinished(self, exitCode: int = 0, exitStatus: int = 0, *_args) -> None:
        self.onOutput()
        crashed = exitStatus == qt.QProcess.CrashExit
        self.conversation.closed(-exitCode if crashed else exitCode)
        self._deliverRest()

    def onError(self, error: int = 0, *_args) -> None:
        if error == qt.QProcess.FailedToStart:  # after all other errors, the process is gone and Qt says so
            self.conversation.closed(None, self._process.errorString())
            self._deliverRest()

    def onTimer(self, *_args) -> None:
        if self.conversation.overdue:
            self._kill()
        self.conversation.deliver(_DELIVER_FOR_S)

    def _deliverRest(self, *_args) -> None:
        """All that is left, a little a turn of the event loop."""
        self._timer.stop()
        if self.conversation.deliver(_DELIVER_FOR_S):
            qt.QTimer.singleShot(_STEP_EVERY_MS, self._deliverRest)

    def _kill(self) -> None:
        self.conversation.killed()
        for pid in {int(self._process.processId()), self.conversation.worker_pid} - {0, None}:
            end_process_group(pid)

    def _write(self, data: bytes) -> None:
        self._process.write(data)


def _environment(variables: dict[str, str]):
    environment = qt.QProcessEnvironment()
    for name, value in variables.items():
        environment.insert(name, value)
    return environment


class Steps:
    """Runs a generator one step a turn of Qt's event loop.

    Args:
        generator: whose steps are short.
        onDone: called with what it returns.
        onFailed: called with the exception it raises.
        parent: QObject that owns the timer.
    """

    def __init__(self, generator, onDone: Callable, onFailed: Callable, parent) -> None:
        self._generator = generator
        self._onDone = onDone
        self._onFailed = onFailed
        self._timer = qt.QTimer(parent)
        self._timer.setInterval(_STEP_EVERY_MS)
        self._timer.timeout.connect(self.onTimer)
        self._timer.start()

    def stop(self) -> None:
        """No step any more; nobody is called."""
        self._timer.stop()
        self._generator.close()

    def onTimer(self, *_args) -> None:
        try:
            next(self._generator)
        except StopIteration as end:
            self._timer.stop()
            self._onDone(end.value)
        except Exception as error:
            self._timer.stop()
            self._onFailed(error)
