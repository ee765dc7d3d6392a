"""What PythonQt does differently from PySide6, as it was measured in a real PythonQt, holds in the host."""

from __future__ import annotations

import pytest


@pytest.fixture
def qt(host):
    import qt

    return qt


def test_properties_are_values_and_can_be_set(qt):
    button = qt.QPushButton("Apply")
    assert button.text == "Apply"
    with pytest.raises(TypeError, match="'str' object is not callable"):
        button.text()
    button.text = "Cancel"
    assert button.text == button.property("text") == "Cancel"
    button.setText("Apply")
    assert button.text == "Apply"
    assert button.enabled is button.isEnabled() is True


def test_properties_of_every_kind(qt):
    box, bar, timer, combo, label = qt.QSpinBox(), qt.QProgressBar(), qt.QTimer(), qt.QComboBox(), qt.QLabel()
    box.maximum = 1000
    box.value = 12.6
    assert (box.maximum, box.value) == (1000, 12)
    assert bar.value == -1
    timer.interval = 5
    timer.singleShot = True
    assert (timer.interval, timer.active, timer.singleShot) == (5, False, True)
    combo.addItems(["a", "b"])
    combo.currentText = "b"
    assert (combo.count, combo.currentIndex) == (2, 1)
    label.alignment = qt.Qt.AlignRight
    assert label.alignment == qt.Qt.AlignRight
    layout = qt.QVBoxLayout()
    layout.spacing = 3
    assert layout.spacing == 3
    assert qt.QTableWidget(3, 2).rowCount == 3


def test_methods_that_are_no_properties_stay_methods(qt):
    widget = qt.QWidget()
    layout = qt.QHBoxLayout(widget)
    assert widget.layout() is layout
    assert widget.parent() is None
    assert widget.sizeHint().isValid()
    called = []
    qt.QTimer.singleShot(0, lambda: called.append(True))
    qt.QApplication.processEvents()
    assert called == [True]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("txet", "x", "'txet' does not exist on QPushButton and creating new attributes on C"),
        ("_note", "x", "'_note' does not exist on QPushButton"),
        ("width", 3, "'width' of QWidget object is not writable"),
        ("setText", print, "'setText' can not be overwritten"),
        ("clicked", print, "'clicked' can not be overwritten"),
        ("text", object(), "does not accept an object of type object"),
    ],
)
def test_a_wrong_attribute_is_an_error(qt, name, value, message):
    with pytest.raises(AttributeError, match=message):
        setattr(qt.QPushButton(), name, value)


def test_stand_ins_are_as_strict(host):
    import ctk
    import slicer

    for widget in (ctk.ctkSliderWidget(), ctk.ctkCollapsibleButton(), slicer.qMRMLNodeComboBox()):
        with pytest.raises(AttributeError, match="does not exist on"):
            widget.colour = "red"
        with pytest.raises(AttributeError, match="has no attribute|has no"):
            _ = widget.colour


def test_own_classes_may_hold_attributes(qt):
    class Panel(qt.QWidget):
        pass

    panel = Panel()
    panel.logic = 3
    assert panel.logic == 3


def test_enumerations_are_integers(qt):
    assert qt.Qt.Checked == 2
    assert int(qt.QMessageBox.Ok) == qt.QMessageBox.Ok
    assert isinstance(qt.QProcess.CrashExit, int)
    assert qt.QMessageBox.StandardButton.Ok == qt.QMessageBox.Ok


def test_connections_by_signature(qt):
    button, seen = qt.QPushButton(), []

    def with_value(value):
        seen.append(value)

    assert button.connect("clicked(bool)", with_value)
    button.connect("clicked()", lambda: seen.append("without"))
    button.click()
    assert seen == [False, "without"]
    assert button.disconnect("clicked(bool)", with_value)
    assert not button.disconnect("clicked(bool)", with_value)
    button.click()
    assert seen == [False, "without", "without"]


def test_slots_take_as_much_as_they_want(qt):
    class Panel:
        def __init__(self):
            self.seen = []

        def nothing(self):
            self.seen.append("nothing")

        def checked(self, checked):
            self.seen.append(checked)

        def default(self, checked="default"):
            self.seen.append(checked)

    panel, button = Panel(), qt.QPushButton()
    for slot in (panel.nothing, panel.checked, panel.default):
        button.clicked.connect(slot)
    button.click()
    assert panel.seen == ["nothing", False, False]
    button.clicked.disconnect(panel.checked)
    button.click()
    assert panel.seen[3:] == ["nothing", False]


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        ("pushed()", "has no signal pushed"),
        ("clicked(int)", r"has no signal clicked\(int\); it has clicked\(bool\), clicked\(\)"),
        ("currentNodeChanged(vtkMRMLNode*)", "QPushButton has no signal currentNodeChanged"),
    ],
)
def test_an_unknown_signal_is_an_error(qt, signature, message):
    with pytest.raises(ValueError, match=message):
        qt.QPushButton().connect(signature, print)


def test_signatures_of_nodes(host):
    import slicer

    selector, seen = slicer.qMRMLNodeComboBox(), []
    selector.nodeTypes = ["vtkMRMLTextNode"]
    selector.connect("currentNodeChanged(vtkMRMLNode*)", seen.append)
    selector.setMRMLScene(slicer.mrmlScene)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode")
    assert seen == [node]
    with pytest.raises(ValueError, match="has no signal"):
        selector.connect("currentNodeChanged(int)", seen.append)


def test_connections_to_a_named_slot(qt):
    button, label = qt.QPushButton(), qt.QLabel("text")
    button.connect("clicked()", label, "clear()")
    button.click()
    assert label.text == ""


def test_finding_widgets(qt):
    outer = qt.QWidget()
    inner = qt.QPushButton("Apply", outer)
    inner.name = "applyButton"
    assert inner.objectName == inner.name == "applyButton"
    assert outer.findChildren("QPushButton") == (inner,)
    assert outer.findChild(qt.QPushButton, "applyButton") is inner
    assert outer.findChild("QPushButton", "missing") is None
    assert outer.applyButton is inner
    assert inner.className() == "QPushButton"
    with pytest.raises(AttributeError):
        _ = outer.cancelButton


def test_dynamic_properties_are_attributes(qt):
    edit = qt.QLineEdit()
    with pytest.raises(AttributeError):
        edit.SlicerParameterName = "label"
    edit.setProperty("SlicerParameterName", "label")
    assert edit.SlicerParameterName == "label"
    edit.SlicerParameterName = "other"
    assert edit.property("SlicerParameterName") == "other"


def test_a_process_as_in_pythonqt(host, qt):
    import sys

    process, lines, ended = qt.QProcess(), [], []
    process.connect("readyReadStandardOutput()", lambda: lines.append(process.readAllStandardOutput().data()))
    process.finished.connect(lambda code, status: ended.append((code, status)))
    process.start(sys.executable, ["-c", "import sys; print(sys.stdin.readline()); sys.exit(3)"])
    process.write(b"cancel\n")
    host.wait_until(lambda: bool(ended))
    assert b"".join(lines).split() == [b"cancel"]
    assert ended == [(3, qt.QProcess.NormalExit)]


def test_a_process_that_cannot_start(host, qt):
    process, errors = qt.QProcess(), []
    process.errorOccurred.connect(errors.append)
    process.start("/no/such/program", [])
    host.wait_until(lambda: bool(errors))
    assert errors == [qt.QProcess.FailedToStart]


def test_settings_are_those_of_the_test(host, qt):
    import slicer

    qt.QSettings().setValue("TumorTwin/Device", "cpu")
    assert slicer.util.settingsValue("TumorTwin/Device", "") == "cpu"
    assert slicer.app.settings().value("TumorTwin/Device") == "cpu"
    host.reset()
    assert not qt.QSettings().contains("TumorTwin/Device")
