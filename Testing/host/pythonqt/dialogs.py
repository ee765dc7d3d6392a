"""Modal dialogs without a user: recorded, and answered by the test or by the button a user would rather press."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from Testing.host.pythonqt.source import QtWidgets

_Box = QtWidgets.QMessageBox
# What an unprepared test answers: the work goes on.
_AFFIRMATIVE = (_Box.Ok, _Box.Yes, _Box.Save, _Box.Open, _Box.Retry, _Box.Ignore, _Box.Apply, _Box.Close)


@dataclass(frozen=True)
class Message:
    """A message box that would have been shown."""

    kind: str  # "information", "warning", "critical", "question" or "plain"
    title: str
    text: str
    details: str = ""
    informative: str = ""


class Desk:
    """What modal dialogs said, and what they will be answered.

    Attributes:
        messages: message boxes in the order they appeared.
        answers: buttons for the next message boxes, e.g. ``qt.QMessageBox.No``.
        files: paths for the next file dialogs, ``""`` for a user who cancels.
        inputs: what is entered into the next dialogs that ask for one value.
        handlers: called with the next other dialogs, to click inside before they are closed; what they return is the
            result of ``exec``.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.answers: deque[int] = deque()
        self.files: deque[str] = deque()
        self.inputs: deque = deque()
        self.handlers: deque[Callable] = deque()

    def clear(self) -> None:
        for record in (self.messages, self.answers, self.files, self.inputs, self.handlers):
            record.clear()


desk = Desk()
_KINDS = {
    _Box.Information: "information",
    _Box.Warning: "warning",
    _Box.Critical: "critical",
    _Box.Question: "question",
}
_INPUTS = {
    QtWidgets.QInputDialog: ("getText", "getMultiLineText", "getItem", "getInt", "getDouble"),
    QtWidgets.QColorDialog: ("getColor",),
}


def record_modal_dialogs() -> None:
    """Replace everything in Qt that waits for a user."""
    _Box.exec = _Box.exec_ = _answer_box
    for icon, name in _KINDS.items():
        setattr(_Box, name, staticmethod(_static_box(icon)))
    QtWidgets.QDialog.exec = QtWidgets.QDialog.exec_ = _hand_over
    for name in ("getOpenFileName", "getSaveFileName", "getExistingDirectory", "getOpenFileNames"):
        setattr(QtWidgets.QFileDialog, name, staticmethod(_file_answer(name)))
    for kind, names in _INPUTS.items():
        for name in names:
            setattr(kind, name, staticmethod(_input_answer(f"{kind.__name__}.{name}")))


def _answer_box(box) -> int:
    kind = _KINDS.get(box.icon, "plain")
    desk.messages.append(Message(kind, box.windowTitle.strip(), box.text, box.detailedText, box.informativeText))
    return _answer(int(box.standardButtons))


def _static_box(icon):
    def show(_parent, title, text, buttons=_Box.Ok, _default=_Box.NoButton):
        desk.messages.append(Message(_KINDS[icon], title, text))
        return _answer(int(buttons))

    return show


def _answer(buttons: int) -> int:
    if desk.answers:
        answer = desk.answers.popleft()
        if buttons and not buttons & int(answer):
            raise AssertionError(f"The message box has no such button: {desk.messages[-1]}")
        return answer
    return next((button for button in _AFFIRMATIVE if buttons & int(button)), _Box.Ok)


def _hand_over(dialog) -> int:
    if not desk.handlers:
        raise AssertionError(f"A dialog would wait for the user: {dialog.className()} '{dialog.windowTitle}'.")
    dialog.show()
    result = desk.handlers.popleft()(dialog)
    dialog.hide()
    return dialog.result() if result is None else result


def _file_answer(name: str):
    def ask(*_arguments, **_options):
        if not desk.files:
            raise AssertionError(f"A file dialog would wait for the user: QFileDialog.{name}.")
        path = str(desk.files.popleft())
        return ([path] if path else []) if name == "getOpenFileNames" else path

    return ask


def _input_answer(name: str):
    def ask(*_arguments, **_options):
        if not desk.inputs:
            raise AssertionError(f"A dialog would wait for the user: {name}.")
        return desk.inputs.popleft()

    return ask
