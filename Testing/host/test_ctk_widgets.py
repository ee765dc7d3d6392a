"""Stand-ins of CTK's widgets do what the panel relies on."""

from __future__ import annotations

import pytest


@pytest.fixture
def place(host):
    """Puts a widget into the panel and takes it out after the test."""
    placed = []

    def put(widget):
        host.window.panel.widget().layout().addWidget(widget)
        widget.show()
        host.process_events()
        placed.append(widget)
        return widget

    yield put
    for widget in placed:
        widget.delete()


def test_a_section_hides_what_it_holds(place):
    import ctk
    import qt

    section = ctk.ctkCollapsibleButton("Inputs")
    form = qt.QFormLayout(section)
    shown, hidden = qt.QLineEdit(), qt.QLineEdit()
    form.addRow("Shown", shown)
    form.addRow("Hidden", hidden)
    hidden.hide()
    place(section)
    height = section.sizeHint().height()
    changes = []
    section.contentsCollapsed.connect(changes.append)
    section.collapsed = True
    assert not shown.visible
    assert section.sizeHint().height() < height
    shown.setVisible(True)
    assert not shown.visible  # the section is still closed
    section.collapsed = False
    assert shown.visible
    assert not hidden.visible  # the module had hidden it
    assert changes == [True, False]


def test_a_section_opens_at_its_header_only(host, place):
    import ctk
    import qt

    section = ctk.ctkCollapsibleButton("Inputs")
    qt.QFormLayout(section).addRow("Name", qt.QLineEdit())
    place(section)
    host.click(section, (5, section.height - 3))
    assert not section.collapsed
    host.click(section)
    assert section.collapsed


def test_a_group_box_closes_too(host, place):
    import ctk
    import qt

    box = ctk.ctkCollapsibleGroupBox()
    box.title = "More"
    edit = qt.QLineEdit()
    qt.QVBoxLayout(box).addWidget(edit)
    place(box)
    host.click(box)
    assert box.collapsed
    assert not edit.visible
    assert box.height < 30
    host.click(box)
    assert edit.visible


def test_sliders_of_real_numbers(host, place):
    import ctk

    for kind in (ctk.ctkSliderWidget, ctk.ctkDoubleSpinBox, ctk.ctkDoubleSlider):
        widget, seen = place(kind()), []
        widget.connect("valueChanged(double)", seen.append)
        widget.maximum = 5.0
        widget.minimum = 1.0
        widget.value = 9.0
        assert widget.value == 5.0
        widget.setValue(2.5)
        assert seen[-2:] == [5.0, 2.5]


def test_a_slider_and_its_number_agree(host, place):
    import ctk

    widget = place(ctk.ctkSliderWidget())
    widget.maximum, widget.decimals, widget.suffix = 200.0, 1, " mm"
    host.type(widget, "150.5")
    assert widget.value == 150.5
    assert widget.spinBox().text == "150.5 mm"
    host.slide(widget.slider(), 5000)
    assert widget.value == 100.0


def test_a_range(place):
    import ctk

    widget, seen = place(ctk.ctkRangeWidget()), []
    widget.valuesChanged.connect(lambda low, high: seen.append((low, high)))
    widget.setRange(0, 10)
    widget.setValues(2, 5)
    assert (widget.minimumValue, widget.maximumValue) == (2, 5)
    assert seen[-1] == (2, 5)


def test_paths(host, place, tmp_path):
    import ctk

    edit, seen = place(ctk.ctkPathLineEdit()), []
    edit.connect("currentPathChanged(QString)", seen.append)
    edit.filters = ctk.ctkPathLineEdit.Files
    host.desk.files.append(tmp_path / "patient.json")
    host.click(edit.findChild("QToolButton"))
    assert edit.currentPath == seen[-1] == str(tmp_path / "patient.json")
    button = place(ctk.ctkDirectoryButton())
    button.directory = str(tmp_path)
    assert button.directory == str(tmp_path)


def test_checkable_entries(place):
    import ctk
    import qt

    box, changes = place(ctk.ctkCheckableComboBox()), []
    box.addItems(["T1", "T2", "FLAIR"])
    box.checkedIndexesChanged.connect(lambda: changes.append(True))
    box.setCheckState(box.model().index(1, 0), qt.Qt.Checked)
    assert [index.data() for index in box.checkedIndexes()] == ["T2"]
    assert changes
