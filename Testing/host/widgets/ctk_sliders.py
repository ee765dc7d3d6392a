"""Stand-ins of CTK's sliders and spin boxes of real numbers."""

from __future__ import annotations

from Testing.host.pythonqt.module import designer_widget
from Testing.host.pythonqt.source import QtCore, QtWidgets

_POSITIONS = 10_000  # of the slider between minimum and maximum
Signal, Property, Qt = QtCore.Signal, QtCore.Property, QtCore.Qt


def forwarded(kind: type, name: str, part: str = "_spin_box"):
    """A property that is a part's property of the same name."""
    setter = f"set{name[0].upper()}{name[1:]}"
    return Property(
        kind,
        lambda self: getattr(getattr(self, part), name),
        lambda self, value: getattr(getattr(self, part), setter)(value),
    )


def _setter(name: str):
    """The method ``setX`` beside the property ``x``, as C++ has it."""
    return lambda self, value: setattr(self, name, value)


class _RealNumber(QtWidgets.QWidget):
    """What the CTK widgets of one real number have in common: a spin box, and perhaps a slider beside it."""

    valueChanged = Signal(float)
    has_slider = True
    has_spin_box = True

    def __init__(self, *arguments) -> None:
        super().__init__(next((one for one in arguments if isinstance(one, QtWidgets.QWidget)), None))
        self._slider = QtWidgets.QSlider(Qt.Horizontal, self)
        self._slider.setRange(0, _POSITIONS)
        self._slider.setVisible(self.has_slider)
        self._spin_box = QtWidgets.QDoubleSpinBox(self)
        self._spin_box.setVisible(self.has_spin_box)
        self._spin_box.valueChanged.connect(self._on_value)
        self._slider.valueChanged.connect(self._on_slider)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._slider, 1)
        row.addWidget(self._spin_box)
        self.setFocusProxy(self._spin_box if self.has_spin_box else self._slider)

    def _on_value(self, value: float) -> None:
        self._place_slider()
        self.valueChanged.emit(value)

    def _on_slider(self, position: int) -> None:
        span = self._spin_box.maximum - self._spin_box.minimum
        self._spin_box.setValue(self._spin_box.minimum + position / _POSITIONS * span)

    def _place_slider(self) -> None:
        span = self._spin_box.maximum - self._spin_box.minimum
        share = (self._spin_box.value - self._spin_box.minimum) / span if 0 < span < float("inf") else 0
        self._slider.blockSignals(True)
        self._slider.setValue(round(share * _POSITIONS))
        self._slider.blockSignals(False)

    def setRange(self, minimum: float, maximum: float) -> None:
        self._spin_box.setRange(minimum, maximum)
        self._place_slider()

    def _set_minimum(self, minimum: float) -> None:
        self.setRange(minimum, max(minimum, self._spin_box.maximum))

    def _set_maximum(self, maximum: float) -> None:
        self.setRange(min(maximum, self._spin_box.minimum), maximum)

    def setValue(self, value: float) -> None:
        if value != self._spin_box.value:  # or the text would change under a user who is typing
            self._spin_box.setValue(value)

    value = Property(float, lambda self: self._spin_box.value, setValue)
    minimum = Property(float, lambda self: self._spin_box.minimum, _set_minimum)
    maximum = Property(float, lambda self: self._spin_box.maximum, _set_maximum)
    singleStep = forwarded(float, "singleStep")
    setMinimum, setMaximum, setSingleStep = (_setter(name) for name in ("minimum", "maximum", "singleStep"))


class _WithText(_RealNumber):
    decimals = forwarded(int, "decimals")
    suffix = forwarded(str, "suffix")
    prefix = forwarded(str, "prefix")
    setDecimals, setSuffix, setPrefix = (_setter(name) for name in ("decimals", "suffix", "prefix"))


@designer_widget
class ctkSliderWidget(_WithText):
    valueIsChanging = Signal(float)

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self._page_step = 10.0
        self._tracking = True

    def slider(self):
        return self._slider

    def spinBox(self):
        return self._spin_box

    def setSpinBoxVisible(self, visible: bool) -> None:
        self._spin_box.setVisible(visible)

    def _set_page_step(self, step: float) -> None:
        self._page_step = step

    def _set_tracking(self, tracking: bool) -> None:
        self._tracking = tracking

    pageStep = Property(float, lambda self: self._page_step, _set_page_step)
    tracking = Property(bool, lambda self: self._tracking, _set_tracking)
    spinBoxVisible = Property(bool, lambda self: not self._spin_box.isHidden(), setSpinBoxVisible)


@designer_widget
class ctkDoubleSlider(_RealNumber):
    has_spin_box = False


@designer_widget
class ctkDoubleSpinBox(_WithText):
    editingFinished = Signal()
    has_slider = False

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self._spin_box.editingFinished.connect(self.editingFinished)


@designer_widget
class ctkRangeWidget(QtWidgets.QWidget):
    """Two numbers, the lower and the upper."""

    valuesChanged = Signal(float, float)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        self._low, self._high = QtWidgets.QDoubleSpinBox(self), QtWidgets.QDoubleSpinBox(self)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for box in (self._low, self._high):
            row.addWidget(box)
            box.valueChanged.connect(self._on_value)
        self._high.setValue(self._high.maximum)

    def _on_value(self, _value: float) -> None:
        self._low.setMaximum(self._high.value)
        self._high.setMinimum(self._low.value)
        self.valuesChanged.emit(self._low.value, self._high.value)

    def setRange(self, minimum: float, maximum: float) -> None:
        self._low.setRange(minimum, self._high.value)
        self._high.setRange(self._low.value, maximum)

    def setValues(self, low: float, high: float) -> None:
        blocked = self.blockSignals(True)
        self._high.setMinimum(self._low.minimum)
        self._high.setValue(high)
        self._low.setMaximum(self._high.value)
        self._low.setValue(low)
        self.blockSignals(blocked)
        self._on_value(low)

    minimumValue = forwarded(float, "value", "_low")
    maximumValue = forwarded(float, "value", "_high")
    minimum = Property(float, lambda self: self._low.minimum, lambda self, low: self._low.setMinimum(low))
    maximum = Property(float, lambda self: self._high.maximum, lambda self, high: self._high.setMaximum(high))

    def _set_decimals(self, decimals: int) -> None:
        self._low.setDecimals(decimals)
        self._high.setDecimals(decimals)

    def _set_single_step(self, step: float) -> None:
        self._low.setSingleStep(step)
        self._high.setSingleStep(step)

    def _set_suffix(self, suffix: str) -> None:
        self._low.setSuffix(suffix)
        self._high.setSuffix(suffix)

    decimals = Property(int, lambda self: self._low.decimals, _set_decimals)
    singleStep = Property(float, lambda self: self._low.singleStep, _set_single_step)
    suffix = Property(str, lambda self: self._low.suffix, _set_suffix)
