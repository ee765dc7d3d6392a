"""How long the panel was blocked, which errors slots raised, and how long a test waits."""

from __future__ import annotations

import time

import pytest


@pytest.fixture
def button(host):
    """A button in the window that a test can give a slot."""
    import qt

    widget = qt.QPushButton("Press", host.window.panel.widget())
    host.window.panel.widget().layout().addWidget(widget)
    widget.show()
    yield widget
    widget.delete()


def test_a_slow_slot_is_measured(host, button):
    button.clicked.connect(lambda: time.sleep(0.2))
    host.click(button)
    assert host.longest_block_ms >= 200
    assert "time.sleep(0.2)" in host.longest_block
    host.clear_block()
    assert host.longest_block_ms == 0
    assert host.longest_block == ""


def test_a_slow_timer_is_measured(host):
    import qt

    done = []
    qt.QTimer.singleShot(20, lambda: (time.sleep(0.15), done.append(True)))
    host.clear_block()
    host.wait_until(lambda: bool(done))
    assert host.longest_block_ms >= 150


def test_a_slot_that_lets_the_loop_turn_is_not_one_long_block(host, button):
    import slicer

    def slot():
        for _part in range(100):
            time.sleep(0.01)
            slicer.app.processEvents()

    button.clicked.connect(slot)
    host.clear_block()
    host.click(button)
    assert 10 <= host.longest_block_ms < 800


def test_the_time_of_the_test_itself_is_not_counted(host):
    host.process_events()
    host.clear_block()
    time.sleep(1)
    host.process_events()
    assert host.longest_block_ms < 1000


def test_waiting_in_vain_says_what_was_on_the_screen(host):
    import slicer

    slicer.util.errorDisplay("No patient.")
    with pytest.raises(AssertionError, match=r"0\.1 s in vain.*No patient"):
        host.wait_until(lambda: False, timeout=0.1)


def test_an_error_in_a_slot_ends_the_waiting(host):
    import qt

    qt.QTimer.singleShot(0, lambda: {}["missing"])
    with pytest.raises(KeyError):
        host.wait_until(lambda: False)
    assert host.slot_errors == []


def test_an_error_in_a_scene_observer_is_seen(host):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode")
    node.AddObserver("ModifiedEvent", lambda *_event: {}["missing"])
    node.SetText("changed")
    with pytest.raises(KeyError, match="missing"):
        host.process_events()


def test_an_expected_error_must_come(host):
    with pytest.raises(AssertionError, match="No slot raised KeyError"), host.expect_slot_error(KeyError):
        host.process_events()
