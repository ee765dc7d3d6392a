"""Stand-ins of CTK's collapsible sections."""

from __future__ import annotations

from Testing.host.qt_module import designer_widget
from Testing.host.qt_source import QtCore, QtGui, QtWidgets

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
        header = QtCore.QRect(0, 0, self.width, _HEADER)
        option.rect = header
        painter = QtGui.QPainter(self)
        style = self.style()
        style.drawControl(QtWidgets.QStyle.CE_PushButtonBevel, option, painter, self)
        arrow = QtWidgets.QStyle.PE_IndicatorArrowRight if self._collapsed else QtWidgets.QStyle.PE_IndicatorArrowDown
        option.rect = QtCore.QRect(6, 6, 10, 10)
        style.drawPrimitive(arrow, option, painter, self)
        painter.setPen(self.palette.color(QtGui.QPalette.ButtonText))
        painter.drawText(header.adjusted(22, 0, 0, 0), Qt.AlignVCenter | Qt.AlignLeft | Qt.TextShowMnemonic, self.text)
        painter.end()


@designer_widget
class ctkCollapsibleGroupBox(_Section, QtWidgets.QGroupBox):
    def __init__(self, *arguments) -> None:
        QtWidgets.QGroupBox.__init__(self, *arguments)
        self._start()
        self.setCheckable(True)
        self.setChecked(True)
        self.toggled.connect(self._on_toggled)

    def _on_toggled(self, checked: bool) -> None:
        self._collapsed = not checked
        self._show_children(checked)

    def setCollapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = Property(bool, lambda self: not self.checked, setCollapsed)
