"""A main window that looks like Slicer's: the module's panel on the left, the layout's views on the right."""

from __future__ import annotations

from Testing.host.pythonqt.properties import cpp_stand_in
from Testing.host.pythonqt.source import QtCore, QtGui, QtWidgets
from Testing.host.slicer_window.layouts import qSlicerLayoutManager
from Testing.host.widgets.ctk_sections import ctkCollapsibleButton
from Testing.host.widgets.pictures import Picture

SIZE = (1280, 800)
PANEL_WIDTH = 480  # of the panel in Slicer when it starts
_MENUS = ("File", "Edit", "View", "Help")
Property, Qt = QtCore.Property, QtCore.Qt


@cpp_stand_in
class qSlicerModuleSelectorToolBar(QtWidgets.QToolBar):
    """Chooses the module whose panel is shown."""

    moduleSelected = QtCore.Signal(str)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._modules: dict[str, object] = {}
        self._selected = ""
        self._box = QtWidgets.QComboBox()
        self._box.setMinimumWidth(220)
        self._box.activated.connect(lambda index: self.selectModule(self._box.itemData(index)))
        self.addWidget(QtWidgets.QLabel(" Modules: "))
        self.addWidget(self._box)

    def add(self, module) -> None:
        self._modules[module.name] = module
        self._box.addItem(module.icon, module.title, module.name)

    def remove(self, name: str) -> None:
        self._modules.pop(name)
        self._box.removeItem(self._box.findData(name))
        if self._selected == name:
            self._selected = ""

    def selectModule(self, name: str) -> None:
        self._box.setCurrentIndex(self._box.findData(name))
        self._selected = name
        self.moduleSelected.emit(name)

    selectedModule = Property(str, lambda self: self._selected)


class qSlicerMainWindow(QtWidgets.QMainWindow):
    """Menus, tool bar, panel, views and status bar."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self.setWindowTitle("3D Slicer (test host)")
        self.resize(*SIZE)
        for name in _MENUS:
            self.menuBar().addMenu(f"&{name}")
        self._add_tool_bar()
        self._add_panel()
        viewport = QtWidgets.QWidget()
        self.setCentralWidget(viewport)
        self.layout_manager = qSlicerLayoutManager(viewport)
        self.statusBar().setSizeGripEnabled(False)
        self._selector.moduleSelected.connect(self._on_module)

    def _add_tool_bar(self) -> None:
        bar = self.addToolBar("Main")
        bar.setMovable(False)
        for name in ("DATA", "DCM", "SAVE"):
            bar.addAction(name)
        self._selector = qSlicerModuleSelectorToolBar()
        self._selector.setMovable(False)
        self.addToolBar(self._selector)

    def _add_panel(self) -> None:
        self._entered = None
        self._help = ctkCollapsibleButton("Help && Acknowledgement")
        self._help_text = QtWidgets.QLabel()
        self._help_text.setWordWrap(True)
        QtWidgets.QVBoxLayout(self._help).addWidget(self._help_text)
        self._help.setCollapsed(True)
        inner = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(inner)
        column.setContentsMargins(6, 6, 6, 6)
        column.addWidget(self._help)
        self._place = QtWidgets.QVBoxLayout()
        column.addLayout(self._place, 1)
        inner.installEventFilter(self)
        self.panel = QtWidgets.QScrollArea()
        self.panel.setWidgetResizable(True)
        self.panel.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self.panel.setFrameShape(QtWidgets.QFrame.NoFrame)
        self.panel.setWidget(inner)
        dock = QtWidgets.QDockWidget()
        dock.setObjectName("PanelDockWidget")
        dock.setTitleBarWidget(QtWidgets.QWidget(dock))
        dock.setFeatures(QtWidgets.QDockWidget.NoDockWidgetFeatures)
        dock.setWidget(self.panel)
        self.addDockWidget(Qt.LeftDockWidgetArea, dock)
        self.resizeDocks([dock], [PANEL_WIDTH], Qt.Horizontal)

    def eventFilter(self, inner, event) -> bool:
        """As in Slicer, the panel is at least as wide as what it holds."""
        if event.type() == QtCore.QEvent.LayoutRequest:
            scroll_bar = self.panel.verticalScrollBar().sizeHint().width()
            self.panel.setMinimumWidth(inner.minimumSizeHint().width() + scroll_bar)
        return False

    def moduleSelector(self) -> qSlicerModuleSelectorToolBar:
        return self._selector

    def leave_module(self) -> None:
        """Tell the module that is shown that the user goes away, and take its panel out."""
        if self._entered is not None:
            self._entered.exit()
            self._place.removeWidget(self._entered)
            self._entered.setParent(None)
            self._entered = None

    def _on_module(self, name: str) -> None:
        self.leave_module()
        module = self._selector._modules[name]
        self._help_text.setText(f"{module.helpText}<br><br>{module.acknowledgementText}")
        self._entered = module.widgetRepresentation()
        self._place.addWidget(self._entered, 1)
        self._entered.show()
        self._entered.enter()

    def photograph(self) -> QtGui.QImage:
        """The window as it is drawn now, with fresh views."""
        self.layout_manager.refresh()
        for picture in self.findChildren(Picture):
            if hasattr(picture, "refresh_picture") and picture.isVisible():
                picture.refresh_picture()
        QtWidgets.QApplication.processEvents()  # labels that became longer are laid out
        return self.grab().toImage()
