"""Stand-ins of the other CTK widgets a panel uses, and the `ctk` module."""

from __future__ import annotations

import sys
import types
from pathlib import Path

from Testing.host.pythonqt.module import designer_widget
from Testing.host.pythonqt.source import QtCore, QtWidgets
from Testing.host.widgets import ctk_sections, ctk_sliders

Signal, Property = QtCore.Signal, QtCore.Property


class _Chooser(QtWidgets.QWidget):
    """A line with a path and a button that asks for another."""

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._edit = QtWidgets.QLineEdit(self)
        self._button = QtWidgets.QToolButton(self)
        self._button.setText("...")
        self._button.clicked.connect(self.browse)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._edit, 1)
        row.addWidget(self._button)
        self.setFocusProxy(self._edit)

    def browse(self, *_arguments) -> None:
        path = self._ask()
        if path:
            self._edit.setText(path)

    def _ask(self) -> str:
        raise NotImplementedError


@designer_widget
class ctkPathLineEdit(_Chooser):
    """A file or a folder, as `filters` says."""

    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)
    Dirs, Files, Drives, NoSymLinks = 0x1, 0x2, 0x4, 0x8
    AllEntries, Readable, Writable, Executable = 0x7, 0x10, 0x20, 0x40
    Hidden, NoDot, NoDotDot, NoDotAndDotDot, AllDirs = 0x100, 0x2000, 0x4000, 0x6000, 0x400

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._filters = self.AllEntries | self.NoDotAndDotDot | self.Readable
        self._name_filters: list[str] = []
        self._setting_key = ""
        self._edit.textChanged.connect(self.currentPathChanged)

    def _ask(self) -> str:
        if self._filters & self.Files:
            return QtWidgets.QFileDialog.getOpenFileName(self, "", self._edit.text, ";;".join(self._name_filters))
        return QtWidgets.QFileDialog.getExistingDirectory(self, "", self._edit.text)

    def setCurrentPath(self, path: str) -> None:
        self._edit.setText(path)

    def setFilters(self, filters: int) -> None:
        self._filters = int(filters)

    def setNameFilters(self, filters) -> None:
        self._name_filters = list(filters)

    def setSettingKey(self, key: str) -> None:
        self._setting_key = key

    def setShowBrowseButton(self, visible: bool) -> None:
        self._button.setVisible(visible)

    def addCurrentPathToHistory(self) -> None:
        if self._setting_key:
            QtCore.QSettings().setValue(self._setting_key, [self._edit.text])

    currentPath = Property(str, lambda self: self._edit.text, setCurrentPath)
    filters = Property(int, lambda self: self._filters, setFilters)
    nameFilters = Property("QStringList", lambda self: self._name_filters, setNameFilters)
    settingKey = Property(str, lambda self: self._setting_key, setSettingKey)
    showBrowseButton = Property(bool, lambda self: not self._button.isHidden(), setShowBrowseButton)


@designer_widget
class ctkDirectoryButton(_Chooser):
    """A folder."""

    directoryChanged = Signal(str)
    directorySelected = Signal(str)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._edit.setReadOnly(True)
        self._edit.textChanged.connect(self.directoryChanged)

    def _ask(self) -> str:
        path = QtWidgets.QFileDialog.getExistingDirectory(self, "", self._edit.text)
        self.directorySelected.emit(path)
        return path

    def setDirectory(self, path: str) -> None:
        self._edit.setText(str(Path(path).resolve()))

    directory = Property(str, lambda self: self._edit.text, setDirectory)


@designer_widget
class ctkCheckBox(QtWidgets.QCheckBox):
    pass


@designer_widget
class ctkComboBox(QtWidgets.QComboBox):
    """A combo box that shows a default text while nothing is chosen."""

    defaultText = Property(str, lambda self: self.placeholderText, QtWidgets.QComboBox.setPlaceholderText)

    def setDefaultText(self, text: str) -> None:
        self.setPlaceholderText(text)


@designer_widget
class ctkCheckableComboBox(ctkComboBox):
    """Entries with check boxes."""

    checkedIndexesChanged = Signal()

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self.model().rowsInserted.connect(self._on_rows)
        self.model().itemChanged.connect(lambda _item: self.checkedIndexesChanged.emit())

    def _on_rows(self, _parent, first: int, last: int) -> None:
        for row in range(first, last + 1):
            item = self.model().item(row)
            item.setCheckable(True)
            item.setCheckState(QtCore.Qt.Unchecked)

    def checkedIndexes(self) -> list:
        indexes = (self.model().index(row, 0) for row in range(self.count))
        return [index for index in indexes if index.data(QtCore.Qt.CheckStateRole) == int(QtCore.Qt.Checked)]

    def setCheckState(self, index, state: int) -> None:
        self.model().setData(index, int(state), QtCore.Qt.CheckStateRole)


@designer_widget
class ctkSearchBox(QtWidgets.QLineEdit):
    pass


@designer_widget
class ctkFittedTextBrowser(QtWidgets.QTextBrowser):
    pass


@designer_widget
class ctkMenuButton(QtWidgets.QPushButton):
    pass


@designer_widget
class ctkMessageBox(QtWidgets.QMessageBox):
    """A message box with "don't show again"."""

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._settings_key = ""

    def setDontShowAgainSettingsKey(self, key: str) -> None:
        self._settings_key = key

    dontShowAgainSettingsKey = Property(str, lambda self: self._settings_key, setDontShowAgainSettingsKey)


def ctk_module() -> types.ModuleType:
    """The module to be imported as `ctk`."""
    module = types.ModuleType("ctk", "Stand-ins of CTK's widgets")
    for source in (ctk_sections, ctk_sliders, sys.modules[__name__]):
        for name, thing in vars(source).items():
            if name.startswith("ctk") and isinstance(thing, type):
                setattr(module, name, thing)
    return module
