"""Nothing waits for a user: message boxes are recorded and answered, other dialogs need a test that answers."""

from __future__ import annotations

import pytest


def test_messages_are_recorded(host):
    import slicer

    slicer.util.errorDisplay("It failed.", detailedText="here")
    slicer.util.warningDisplay("Look out.", windowTitle="Mind")
    slicer.util.infoDisplay("Done.")
    assert [(message.kind, message.text) for message in host.messages] == [
        ("critical", "It failed."),
        ("warning", "Look out."),
        ("information", "Done."),
    ]
    assert host.messages[0].details == "here"
    assert host.messages[1].title == "Mind"


def test_questions_are_answered(host):
    import qt
    import slicer

    assert slicer.util.confirmOkCancelDisplay("Go on?")
    host.desk.answers.extend([qt.QMessageBox.Cancel, qt.QMessageBox.No])
    assert not slicer.util.confirmOkCancelDisplay("Go on?")
    assert not slicer.util.confirmYesNoDisplay("Sure?")
    assert slicer.util.confirmYesNoDisplay("Sure?")
    assert [message.kind for message in host.messages] == ["question"] * 4


def test_an_answer_must_be_one_of_the_buttons(host):
    import qt
    import slicer

    host.desk.answers.append(qt.QMessageBox.Discard)
    with pytest.raises(AssertionError, match="has no such button"):
        slicer.util.confirmYesNoDisplay("Sure?")


def test_files_are_chosen_by_the_test(host):
    import qt

    host.desk.files.extend(["/data/patient.json", ""])
    assert qt.QFileDialog.getOpenFileName(None, "Load", "/data", "*.json") == "/data/patient.json"
    assert qt.QFileDialog.getExistingDirectory() == ""
    with pytest.raises(AssertionError, match="getSaveFileName"):
        qt.QFileDialog.getSaveFileName()


def test_a_dialog_is_handed_to_the_test(host):
    import qt

    dialog = qt.QDialog()
    dialog.setWindowTitle("Regimens")
    with pytest.raises(AssertionError, match="QDialog 'Regimens'"):
        dialog.exec_()
    host.desk.handlers.append(lambda shown: shown.accept())
    assert dialog.exec_() == qt.QDialog.Accepted
    assert not dialog.visible


def test_a_value_is_entered_by_the_test(host):
    import qt

    host.desk.inputs.append("VGBM_002")
    assert qt.QInputDialog.getText(None, "Patient", "Name") == "VGBM_002"
    with pytest.raises(AssertionError, match="QInputDialog.getDouble"):
        qt.QInputDialog.getDouble(None, "Dose", "Gy")


def test_an_entry_of_a_menu_is_chosen(host):
    import qt

    button, seen = qt.QToolButton(host.window.panel.widget()), []
    button.setObjectName("moreButton")
    menu = qt.QMenu(button)
    menu.addAction("&Save job...").triggered.connect(lambda: seen.append("saved"))
    menu.addAction("Import").setEnabled(False)
    button.setMenu(menu)
    button.setPopupMode(qt.QToolButton.InstantPopup)
    button.show()
    with pytest.raises(AssertionError, match="moreButton opens a menu"):
        host.click(button)
    host.choose(button, "Save job...")
    assert seen == ["saved"]
    with pytest.raises(AssertionError, match="Import in the menu of moreButton is disabled"):
        host.choose(button, "Import")
    button.delete()


def test_packages_are_asked_for_and_not_installed(host, tmp_path):
    import slicer.packaging

    (tmp_path / "requirements.txt").write_text("# needed\nnumpy>=1.0\nno-such-package>=2\n")
    requirements = slicer.packaging.load_requirements(tmp_path / "requirements.txt")
    assert slicer.packaging.pip_check("numpy>=1.0")
    assert not slicer.packaging.pip_check(requirements)
    slicer.packaging.pip_ensure(requirements, requester="TumorTwin")
    assert "no-such-package" in host.messages[0].text
    assert [name for name, _ in host.packages.calls] == ["pip_ensure", "pip_install"]
    assert host.packages.calls[1][1]["requirements"] == ["no-such-package>=2"]


def test_the_user_may_decline_packages(host):
    import qt
    import slicer.packaging

    host.packages.absent.add("numpy")
    host.desk.answers.append(qt.QMessageBox.Cancel)
    with pytest.raises(RuntimeError, match="declined"):
        slicer.packaging.pip_ensure("numpy", requester="TumorTwin")
    assert [name for name, _ in host.packages.calls] == ["pip_ensure"]


def test_an_installation_may_fail(host):
    import slicer.packaging

    host.packages.absent.add("numpy")
    host.packages.fails_with = OSError("disk full")
    with pytest.raises(OSError, match="disk full"):
        slicer.packaging.pip_ensure("numpy", prompt_install=False)
    assert not slicer.packaging.pip_check("numpy")
    slicer.packaging.pip_ensure("numpy", prompt_install=False)
    assert slicer.packaging.pip_check("numpy")
