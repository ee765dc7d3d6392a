"""`slicer.parameterNodeWrapper`: typed access to a vtkMRMLScriptedModuleNode, and widgets bound to it."""

from __future__ import annotations

import types
import typing
from typing import Any

import shiboken6
import vtk

from Testing.host.parameter_nodes import annotations
from Testing.host.parameter_nodes.annotations import Default, base_type, first_annotation
from Testing.host.parameter_nodes.gui import Connector, connector_of
from Testing.host.parameter_nodes.packs import is_pack, parameterPack
from Testing.host.parameter_nodes.storage import storage_of

_PROPERTY = "SlicerParameterName"


def parameterNodeWrapper(cls: type | None = None):
    """Class decorator: the class is then made from a vtkMRMLScriptedModuleNode and has its typed values."""
    return _process if cls is None else _process(cls)


class _Parameter:
    """One typed value of a parameter node, as a property of the wrapper."""

    def __init__(self, name: str, hint: Any, default: Any) -> None:
        self.name = name
        self.hint = hint
        self.storage = storage_of(hint)
        self.default = default if default is not None else Default(generator=self.storage.default)

    def __get__(self, wrapper, _owner=None):
        if wrapper is None:
            return self
        self.write_default_where_unset(wrapper.parameterNode)  # closing the scene empties the node
        return self.storage.read(wrapper.parameterNode, self.name)

    def write_default_where_unset(self, node) -> None:
        if not self.storage.is_in(node, self.name):
            self.storage.write(node, self.name, self.default.value)

    def __set__(self, wrapper, value: Any) -> None:
        self.storage.write(wrapper.parameterNode, self.name, value)


class _Wrapper:
    """What every wrapper can do besides its parameters."""

    allParameters: dict[str, _Parameter]

    def __init__(self, parameterNode) -> None:
        self.parameterNode = parameterNode
        self._connectors: dict[int, dict[str, Connector]] = {}
        self._updating_gui = False
        for parameter in self.allParameters.values():
            parameter.write_default_where_unset(parameterNode)

    def default(self, name: str) -> Default:
        return self.allParameters[name].default

    @classmethod
    def dataType(cls, name: str) -> Any:
        first, _, rest = name.partition(".")
        if first not in cls.allParameters:
            raise ValueError(f"Cannot find a param with the given name: {first}")
        hint = cls.allParameters[first].hint
        return base_type(hint).dataType(rest) if rest else hint

    def getValue(self, name: str) -> Any:
        first, _, rest = name.partition(".")
        value = getattr(self, first)
        return value.getValue(rest) if rest else value

    def setValue(self, name: str, value: Any) -> None:
        first, _, rest = name.partition(".")
        if rest:
            getattr(self, first).setValue(rest, value)
        else:
            setattr(self, first, value)

    def connectGui(self, gui) -> None:
        """Bind every widget with a SlicerParameterName. Returns no tag, as in Slicer, so that it cannot be undone."""
        widgets = gui.findChildren("QWidget") if hasattr(gui, "isWidgetType") else gui.__dict__.values()
        named = {widget.property(_PROPERTY): widget for widget in widgets}
        self.connectParametersToGui({name: widget for name, widget in named.items() if name})

    def connectParametersToGui(self, mapping: dict) -> int:
        """Bind widgets by parameter name; the tag returned is for `disconnectGui`."""
        connectors = {name: connector_of(widget, self.dataType(name)) for name, widget in mapping.items()}
        tag = len(self._connectors)
        self._connectors[tag] = connectors
        for name, connector in connectors.items():
            connector.write(self.getValue(name))
            connector.on_changed(lambda name=name, connector=connector: self._read_gui(name, connector))
        if tag == 0:
            self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_event: self._update_gui())
        return tag

    def disconnectGui(self, tag: int | None) -> None:
        for connector in self._connectors.get(tag, {}).values():
            connector.on_changed(None)
        if tag in self._connectors:
            self._connectors[tag] = {}

    def _read_gui(self, name: str, connector: Connector) -> None:
        if not self._updating_gui:
            self.setValue(name, connector.read())

    def _update_gui(self) -> None:
        if self._updating_gui:
            return
        self._updating_gui = True
        try:
            for connectors in self._connectors.values():
                for name, connector in connectors.items():
                    if shiboken6.isValid(connector.widget):  # the panel may be gone before its parameters
                        connector.write(self.getValue(name))
        finally:
            self._updating_gui = False

    def StartModify(self):
        return self.parameterNode.StartModify()

    def EndModify(self, was_modifying):
        return self.parameterNode.EndModify(was_modifying)

    def AddObserver(self, event, callback, priority: float = 0.0) -> int:
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        self.parameterNode.RemoveObserver(tag)

    def Modified(self) -> None:
        self.parameterNode.Modified()


def _process(cls: type) -> type:
    parameters = {}
    for name, hint in typing.get_type_hints(cls, include_extras=True).items():
        default = Default(cls.__dict__[name]) if name in cls.__dict__ else first_annotation(hint, Default)
        if name in vars(_Wrapper):
            raise ValueError(f"Cannot use reserved name '{name}' in a parameterNodeWrapper")
        parameters[name] = _Parameter(name, hint, default)
    members = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__", "__init__")}
    return type(cls.__name__, (_Wrapper, *cls.__bases__), {**members, **parameters, "allParameters": parameters})


def parameter_node_wrapper_module() -> types.ModuleType:
    """The module to be imported as `slicer.parameterNodeWrapper`."""
    module = types.ModuleType("slicer.parameterNodeWrapper", "Typed parameter nodes")
    names = (
        "Choice", "Decimals", "Default", "Exclude", "FloatRange", "IsInstance", "Maximum", "Minimum", "NotNone",
        "SingleStep", "Validator", "WithinRange",
    )  # fmt: skip
    for name in names:
        setattr(module, name, getattr(annotations, name))
    module.parameterNodeWrapper = parameterNodeWrapper
    module.parameterPack = parameterPack
    module.isParameterPack = lambda hint: is_pack(base_type(hint))
    module.isParameterNodeWrapper = lambda thing: hasattr(thing, "allParameters")
    module.SlicerParameterNamePropertyName = _PROPERTY
    module.__all__ = [name for name in vars(module) if not name.startswith("_")]
    return module
