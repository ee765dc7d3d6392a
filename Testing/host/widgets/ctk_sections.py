"""Stand-ins of CTK's collapsible sections."""

from __future__ import annotations

from Testing.host.pythonqt.module import designer_widget
from Testing.host.pythonqt.source import QtCore, QtGui, QtWidgets

_HEADER = 22  # pixels
_INDENT = 6
Signal, Property, Qt = QtCore.Signal, QtCore.Property, QtCore.Qt


class _Section:
    """Hides its children while collapsed and remembers which of them the module itself had hidden."""

    def _start(self) -> None:
        self._collapsed = False
        self._forcing = False
        self._wanted: dict[QtWidgets.QWidget, bool] = {}

    def childEvent(self, event) -> None:
        if event.added() and event.child().isWidgetType():
            event.child().installEventFilter(self)
        elif event.removed():
            self._wanted.pop(event.child(), None)

    def eventFilter(self, child, event) -> bool:
        if self._forcing:
            return False
        if event.type() == QtCore.QEvent.ShowToParent:
            self._wanted[child] = True
            if self._collapsed:
                self._force(child, False)
        elif event.type() == QtCore.QEvent.HideToParent:
            self._wanted[child] = False
        return False

    def _force(self, child, visible: bool) -> None:
        self._forcing = True
        child.setVisible(visible)
        self._forcing = False

    def _show_children(self, visible: bool) -> None:
        for child in self.children():
            if child.isWidgetType():
                self._force(child, visible and self._wanted.get(child, True))
        self.updateGeometry()


@designer_widget
class ctkCollapsibleButton(_Section, QtWidgets.QAbstractButton):
    contentsCollapsed = Signal(bool)

    def __init__(self, *arguments) -> None:
        text = next((one for one in arguments if isinstance(one, str)), "")
        QtWidgets.QAbstractButton.__init__(self, next((one for one in arguments if not isinstance(one, str)), None))
        self._start()
        self.setText(text)
        self.setCheckable(True)
        self.setChecked(True)
        self.setContentsMargins(_INDENT, _HEADER, 0, 0)
        self.setSizePolicy(QtWidgets.QSizePolicy.Preferred, QtWidgets.QSizePolicy.Preferred)
        self.toggled.connect(lambda checked: self.setCollapsed(not checked))

    def setCollapsed(self, collapsed: bool) -> None:
        if collapsed == self._collapsed:
            return
        self._collapsed = bool(collapsed)
        self.setChecked(not collapsed)
        self._show_children(not collapsed)
        self.contentsCollapsed.emit(self._collapsed)

    collapsed = Property(bool, lambda self: self._collapsed, setCollapsed)

    def hitButton(self, position) -> bool:
        return position.y() < _HEADER

    def minimumSizeHint(self):
        hint = self.layout().totalMinimumSize() if self.layout() else QtCore.QSize(80, 0)
        return hint.expandedTo(QtCore.QSize(80, _HEADER + 2))

    def sizeHint(self):
        hint = self.layout().totalSizeHint() if self.layout() else QtCore.QSize(80, 0)
        return hint.expandedTo(QtCore.QSize(80, _HEADER + 2))

    def paintEvent(self, _event) -> None:
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect = QtCore.QRect(0, 0, self.width, _HEADER)
        painter = QtGui.QPainter(self)
        self.style().drawControl(QtWidgets.QStyle.CE_PushButtonBevel, option, painter, self)
        _draw_title(self, self.text, painter, option.rect)
        painter.end()


@designer_widget
class ctkCollapsibleGroupBox(_Section, QtWidgets.QGroupBox):
    """An arrow where a group box has its check box; without a frame while collapsed."""

    def __init__(self, *arguments) -> None:
        QtWidgets.QGroupBox.__init__(self, *arguments)
        self._start()
        self.setCheckable(True)
        self.setChecked(True)
        self._room = self.maximumHeight
        self.toggled.connect(self._on_toggled)

    def _on_toggled(self, checked: bool) -> None:
        self._collapsed = not checked
        self.setMaximumHeight(self._room if checked else _HEADER)
        self._show_children(checked)

    def setCollapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = Property(bool, lambda self: not self.checked, setCollapsed)

    def paintEvent(self, _event) -> None:
        style = self.style()
        option = QtWidgets.QStyleOptionGroupBox()
        self.initStyleOption(option)
        painter = QtGui.QPainter(self)
        if not self._collapsed:
            option.subControls = QtWidgets.QStyle.SC_GroupBoxFrame
            style.drawComplexControl(QtWidgets.QStyle.CC_GroupBox, option, painter, self)
        _draw_title(self, self.title, painter, QtCore.QRect(0, 0, self.width, _HEADER))
        painter.end()


def _draw_title(section, title: str, painter: QtGui.QPainter, header: QtCore.QRect) -> None:
    """An arrow that says whether the section is open, and its title."""
    parts = QtWidgets.QStyle
    option = QtWidgets.QStyleOption()
    option.initFrom(section)
    option.rect = QtCore.QRect(header.left() + 6, header.top() + 6, 10, 10)
    arrow = parts.PE_IndicatorArrowRight if section.collapsed else parts.PE_IndicatorArrowDown
    section.style().drawPrimitive(arrow, option, painter, section)
    painter.setPen(section.palette.color(QtGui.QPalette.ButtonText))
    painter.drawText(header.adjusted(22, 0, 0, 0), Qt.AlignVCenter | Qt.AlignLeft | Qt.TextShowMnemonic, title)
