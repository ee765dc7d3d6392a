"""Progress, frames and cancel."""

from __future__ import annotations

import numpy as np
import pytest

from Testing.physics.problems import ball, block, grow, growth, rate
from TumorTwinLib.errors import CancelledError
from TumorTwinLib.physics.reaction import InstantKill
from TumorTwinLib.physics.solver import SolverSettings, Status
from TumorTwinLib.physics.trackers import CancelTracker, FrameTracker, ProgressTracker, Tracker

SHAPE = (8, 7, 9)
REACTION = growth(0.1, instants=(InstantKill(7.3, rate(0.4)),))


def _run(*trackers, output_days=(5.0, 20.0, 40.0), **more):
    settings = SolverSettings(1e-4, "float64", largest_step_days=0.5)
    return grow(block(SHAPE), ball(SHAPE, 2.0), output_days, 0.2, REACTION, settings, trackers=trackers, **more)


@pytest.mark.parametrize("start_day", [0.0, 3.0])
def test_progress_only_goes_forward_and_ends_at_the_end(start_day):
    told = []
    _run(ProgressTracker(lambda *what: told.append(what), start_day, interval_s=0.0), start_day=start_day)
    days = [day for day, _, _ in told]
    assert len(days) > 50
    assert start_day < days[0]
    assert all(a < b for a, b in zip(days[:-1], days[1:], strict=True))
    assert days[-1] == 40.0
    assert {end for _, end, _ in told} == {40.0}
    seconds_left = [left for _, _, left in told]
    assert min(seconds_left) >= 0
    assert seconds_left[-1] == 0


def test_progress_speaks_seldom_but_always_at_the_end():
    told = []
    _run(ProgressTracker(lambda day, *_: told.append(day), interval_s=1e6))
    assert told[-1] == 40.0
    assert len(told) <= 2


def test_frames_come_at_their_interval_and_are_the_state():
    frames = []
    run = _run(FrameTracker(lambda day, field: frames.append((day, field)), interval_days=6.0))
    days = np.array([day for day, _ in frames])
    assert 6 <= len(days) <= 8
    assert (np.diff(days) >= 6.0).all()
    assert all(field.shape == (1, *SHAPE) for _, field in frames)
    assert all(np.isfinite(field).all() and 0 < field.max() < 1 for _, field in frames)
    assert run.status is Status.COMPLETED


class _Recorder(Tracker):
    """What a subclass with only ``output`` receives."""

    def __init__(self) -> None:
        self.seen = {}

    def output(self, day, fields) -> None:
        self.seen[day] = fields.cellularity()


def test_output_trackers_see_every_output_also_when_none_is_kept():
    kept = _run()
    recorder = _Recorder()
    run = _run(recorder, keep_fields=False)
    assert run.cellularity.size == 0
    assert run.days.tolist() == kept.days.tolist() == list(recorder.seen) == [5.0, 20.0, 40.0]
    np.testing.assert_array_equal(np.array(list(recorder.seen.values())), kept.cellularity)


def test_cancelling_keeps_the_outputs_so_far():
    told = [0.0]
    progress = ProgressTracker(lambda day, *_: told.append(day), interval_s=0.0)
    whole, run = _run(), _run(progress, CancelTracker(lambda: told[-1] > 22.0))
    assert whole.status is Status.COMPLETED
    assert run.status is Status.CANCELLED
    assert "Stopped on request at day 22" in run.message
    assert run.days.tolist() == [5.0, 20.0]
    np.testing.assert_array_equal(run.cellularity, whole.cellularity[:2])
    assert len(run.plan.ends) < len(whole.plan.ends)


def test_cancelling_at_once_leaves_no_outputs():
    run = _run(CancelTracker(lambda: True))
    assert run.status is Status.CANCELLED
    assert run.days.size == run.cellularity.size == 0


def test_a_tracker_that_cancels_at_an_output_keeps_that_output():
    class Stop(Tracker):
        def output(self, day, fields) -> None:
            raise CancelledError("enough")

    run = _run(Stop())
    assert run.status is Status.CANCELLED
    assert run.message == "enough"
    assert run.days.tolist() == [5.0]
    assert run.cellularity.shape == (1, 1, *SHAPE)


def test_an_error_in_a_tracker_is_not_swallowed():
    class Broken(Tracker):
        def step(self, day, end_day, fields) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        _run(Broken())
