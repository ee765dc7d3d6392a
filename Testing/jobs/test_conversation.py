"""What a worker's bytes and exit mean, without any worker."""

from __future__ import annotations

import random

import pytest

from TumorTwinLib.jobs.conversation import Conversation, Listener, State
from TumorTwinLib.jobs.frames import Frame
from TumorTwinLib.jobs.processes import LOG_FILE
from TumorTwinLib.jobs.protocol import CANCEL, End, Ending, Error, Notice, Progress, Start, decode, encode

START = Start(4711, "0.1.0")
PROGRESS = Progress("calibrate", 3.5, 12.0, 1.25, {"residual cellularity": 0.1, "größe": 2.0})
FRAME = Frame(12.5, "frames/day_0012.5.npy")
EVENTS = [
    START,
    PROGRESS,
    Notice("The affine of “é ü 腫瘍 🧠” was repaired."),
    Frame(12.5, "preview/day_0012.5.npy", preview=True),
    FRAME,
    Error("TumorTwinError", "It's broken.", "Traceback\nline 2"),
    End(Ending.FAILED, "It's broken."),
]
FINISHED = "finished"


class Heard:
    """A conversation whose every callback is written down, with a clock that is set by hand."""

    def __init__(self, folder, **settings) -> None:
        self.told: list = []
        self.now = 100.0
        listener = Listener(self.told.append, self.told.append, self.told.append, lambda: self.told.append(FINISHED))
        self.talk = Conversation(folder, listener, clock=lambda: self.now, grace_s=5.0, **settings)

    def hear(self, *events) -> None:
        for event in events:
            self.talk.feed(event if isinstance(event, bytes) else encode(event))
            self.talk.deliver()


@pytest.fixture
def heard(tmp_path) -> Heard:
    return Heard(tmp_path)


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_survives_its_line(event):
    line = encode(event)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == event


def test_numbers_that_json_lacks_become_null():
    line = encode(Progress("forecast", 1.0, None, float("inf"), {"residual": float("nan"), "kept": 0.5}))
    assert decode(line) == Progress("forecast", 1.0, None, None, {"residual": None, "kept": 0.5})


@pytest.mark.parametrize("seed", range(20))
def test_bytes_may_be_cut_anywhere(tmp_path, seed):
    """Also inside a character of several bytes."""
    stream = b"".join(encode(event) for event in EVENTS)
    heard, chance = Heard(tmp_path), random.Random(seed)
    while stream:
        size = chance.choice([1, 2, 3, 50, 400])
        heard.hear(stream[:size])
        stream = stream[size:]
    heard.talk.closed(1)
    heard.talk.deliver()
    assert heard.told == [PROGRESS, EVENTS[2].message, EVENTS[3], FRAME, FINISHED]
    assert (heard.talk.state, heard.talk.message) == (State.FAILED, "It's broken.")
    assert heard.talk.details == "Traceback\nline 2"
    assert heard.talk.worker_pid == 4711
    assert heard.talk.stray_lines == 0


@pytest.mark.parametrize(
    ("status", "exit_code", "state"),
    [
        (Ending.COMPLETED, 0, State.COMPLETED),
        (Ending.CANCELLED, 3, State.CANCELLED),
        (Ending.FAILED, 1, State.FAILED),
        (Ending.COMPLETED, -11, State.CRASHED),
        (Ending.COMPLETED, 1, State.CRASHED),
        (Ending.CANCELLED, 0, State.CRASHED),
        (None, 0, State.CRASHED),
        (None, 3, State.CRASHED),
        (None, 1, State.CRASHED),
        (None, -9, State.CRASHED),
        (None, 137, State.CRASHED),
    ],
)
def test_the_end_and_the_exit_code_must_agree(heard, status, exit_code, state):
    heard.hear(START, *([End(status, "So it ended.")] if status else []))
    assert heard.talk.state is State.RUNNING
    assert FINISHED not in heard.told
    heard.talk.closed(exit_code)
    assert heard.told == []  # callbacks come with deliver only
    heard.talk.deliver()
    assert heard.told == [FINISHED]
    assert heard.talk.state is state
    assert heard.talk.message
    if state is not State.CRASHED:
        assert heard.talk.message == "So it ended."


def test_completion_is_told_once(heard):
    heard.hear(START, End(Ending.COMPLETED, "Done."), End(Ending.FAILED, "Not so."))
    for code in (0, 0, -9, None):
        heard.talk.closed(code)
        heard.talk.deliver()
    heard.hear(End(Ending.COMPLETED, "Done."), PROGRESS, FRAME)
    assert heard.told == [FINISHED]
    assert (heard.talk.state, heard.talk.message) == (State.COMPLETED, "Done.")
    assert heard.talk.stray_lines == 1


def test_nothing_after_the_end_counts(heard):
    heard.hear(START, End(Ending.COMPLETED, "Done."), FRAME, Error("X", "late"))
    heard.talk.closed(0)
    assert heard.talk.state is State.COMPLETED
    assert heard.talk.frames == []


@pytest.mark.parametrize(
    "garbage",
    [
        b"Importing...\n", b"\xff\xfe\x00broken\n", b"{}\n", b"[1, 2]\n", b'{"event": "progress"}\n', b"null\n", b"7\n",
        b'{"event": "dance"}\n', b'{"event": "end", "status": "great", "message": ""}\n', b'{"event": "fra\n',
        b'{"event": {}}\n', b'{"event": "start", "pid": 0, "version": "-1 would be everybody"}\n',
        b"[" * 100_000 + b"\n", b'{"event": "frame", "day": 1, "file": "x", "more": 1}\n',
    ],
)  # fmt: skip
def test_other_lines_are_counted_and_passed_over(heard, garbage):
    heard.hear(START, garbage, FRAME, b"\n", b"  \r\n", End(Ending.COMPLETED, "Done."))
    heard.talk.closed(0)
    heard.talk.deliver()
    assert heard.told == [FRAME, FINISHED]
    assert heard.talk.stray_lines == 1
    assert heard.talk.state is State.COMPLETED


def test_a_line_without_end_is_not_gathered_for_ever(heard):
    heard.hear(START)
    for _ in range(40):
        heard.talk.feed(b"x" * 100_000)
    assert len(heard.talk._rest) <= 1 << 20
    heard.hear(b"\n", End(Ending.COMPLETED, "Done."))
    heard.talk.closed(0)
    assert heard.talk.state is State.COMPLETED


def test_a_last_line_without_newline_counts_if_it_is_whole(heard):
    heard.talk.feed(encode(START) + encode(End(Ending.COMPLETED, "Done.")).rstrip())
    heard.talk.closed(0)
    assert heard.talk.state is State.COMPLETED


def test_a_last_line_that_was_cut_does_not(heard):
    heard.talk.feed(encode(START) + encode(End(Ending.COMPLETED, "Done."))[:-6])
    heard.talk.closed(0)
    assert heard.talk.state is State.CRASHED
    assert heard.talk.stray_lines == 1


def test_a_request_to_stop_is_written_once_and_then_has_its_time(heard):
    heard.hear(START)
    assert not heard.talk.overdue
    assert heard.talk.cancel() == CANCEL
    assert heard.talk.state is State.CANCELLING
    assert heard.talk.cancel() == b""
    heard.now += 4.9
    assert not heard.talk.overdue
    heard.now += 0.2
    assert heard.talk.overdue
    heard.talk.killed()
    assert not heard.talk.overdue
    heard.talk.closed(-9)
    heard.talk.deliver()
    assert heard.told == [FINISHED]
    assert (heard.talk.state, heard.talk.message[:26]) == (State.CANCELLED, "Stopped on request, by for")
    assert heard.talk.cancel() == b""


def test_a_worker_that_does_not_leave_is_overdue_and_its_end_still_counts(heard):
    heard.hear(START, End(Ending.COMPLETED, "Done."))
    assert not heard.talk.overdue
    heard.now += 5.1
    assert heard.talk.overdue
    heard.talk.killed()
    heard.talk.closed(-9)
    assert (heard.talk.state, heard.talk.message) == (State.COMPLETED, "Done.")


def test_a_job_that_completes_before_it_hears_of_the_request_is_completed(heard):
    heard.hear(START)
    heard.talk.cancel()
    heard.hear(End(Ending.COMPLETED, "Done."))
    heard.talk.closed(0)
    assert heard.talk.state is State.COMPLETED


def test_a_worker_that_cannot_start_is_told(heard):
    heard.talk.closed(None, "No such file: python")
    heard.talk.deliver()
    assert heard.told == [FINISHED]
    assert heard.talk.message == "The job could not be started: No such file: python"


def test_a_crash_shows_the_end_of_the_log(tmp_path, heard):
    (tmp_path / LOG_FILE).write_text(
        "".join(f"line {n}\n" for n in range(5000)) + "Lékař said no\n\n", encoding="utf-8"
    )
    heard.hear(START)
    heard.talk.closed(-6)
    assert heard.talk.message == ("The job ended unexpectedly with SIGABRT; the end of its log: Lékař said no")
    assert heard.talk.details.splitlines()[0] == "line 4981"


@pytest.mark.parametrize("exit_code", [-9, 137])
def test_a_kill_from_outside_is_explained(heard, exit_code):
    heard.hear(START)
    heard.talk.closed(exit_code)
    assert "memory" in heard.talk.message
    assert "it will continue" in heard.talk.message


def test_what_was_overtaken_is_not_told(heard):
    for done in range(5):
        heard.talk.feed(encode(Progress("calibrate", done)))
        for day in (1.0, 2.0):
            heard.talk.feed(encode(Frame(day, f"preview/day_{day}.npy", preview=True)))
    heard.talk.feed(encode(FRAME))
    heard.talk.deliver()
    assert [event.done for event in heard.told if isinstance(event, Progress)] == [4.0]
    assert [event.day for event in heard.told if isinstance(event, Frame)] == [1.0, 2.0, 12.5]
    assert len(heard.talk.frames) == 11


def test_delivery_keeps_to_its_budget_and_its_order(tmp_path):
    heard = Heard(tmp_path)
    frames = [Frame(float(day), f"frames/{day}.npy") for day in range(10)]

    def slow(frame) -> None:
        heard.told.append(frame)
        heard.now += 0.01

    heard.talk._listener = Listener(on_frame=slow, on_finished=lambda: heard.told.append(FINISHED))
    for frame in frames:
        heard.talk.feed(encode(frame))
    heard.talk.feed(encode(End(Ending.COMPLETED, "Done.")))
    heard.talk.closed(0)
    assert heard.talk.deliver(budget_s=0.025)
    assert heard.told == frames[:3]
    while heard.talk.deliver(budget_s=0.025):
        pass
    assert heard.told == [*frames, FINISHED]


def test_a_listener_that_fails_misses_nothing_else(tmp_path, caplog):
    told = []

    def fail(_) -> None:
        raise ValueError("a node was deleted")

    talk = Conversation(tmp_path, Listener(fail, fail, fail, lambda: told.append(FINISHED)))
    talk.feed(b"".join(encode(event) for event in EVENTS))
    talk.closed(1)
    talk.deliver()
    assert told == [FINISHED]
    assert caplog.text.count("ValueError: a node was deleted") == 4


def test_a_callback_may_cancel(tmp_path):
    written = []
    talk = Conversation(tmp_path, Listener(on_frame=lambda _: written.append(talk.cancel())))
    talk.feed(encode(START) + encode(FRAME) + encode(Frame(13.0, "frames/13.npy")))
    talk.deliver()
    assert written == [CANCEL, b""]
