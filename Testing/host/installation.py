"""Putting the stand-ins where a module of Slicer imports them from, and taking them away again."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import slicer

from Testing.host import scripted_module
from Testing.host.parameter_nodes.wrapper import parameter_node_wrapper_module
from Testing.host.python_layer import i18n_module, packaging_module
from Testing.host.pythonqt.module import qt_module
from Testing.host.slicer_window import layout_views
from Testing.host.widgets import hierarchy, mrml, node_combo_box, scene, segments, sequences
from Testing.host.widgets.ctk import ctk_module
from TumorTwinLib.mrml.graphics import require_graphics
from TumorTwinLib.mrml.runtime import ensure_slicer

# Where C++ classes of Slicer's GUI are: `slicer.qMRMLNodeComboBox` and the like.
_GUI_SOURCES = (scene, node_combo_box, segments, hierarchy, sequences, mrml, layout_views, scripted_module)


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """`import qt`, `ctk`, `slicer.i18n` and so on work inside. Other modules of the process are not disturbed after it.

    Raises:
        TumorTwinError: views cannot be drawn on this machine.
    """
    ensure_slicer()
    require_graphics()  # asked before there is a main window, which would count as an answer
    stand_ins = {
        "qt": qt_module(),
        "ctk": ctk_module(),
        "slicer.ScriptedLoadableModule": scripted_module.scripted_module_module(),
        "slicer.i18n": i18n_module(),
        "slicer.packaging": packaging_module(),
        "slicer.parameterNodeWrapper": parameter_node_wrapper_module(),
    }
    classes = {
        name: thing
        for source in _GUI_SOURCES
        for name, thing in vars(source).items()
        if name.startswith(("qMRML", "qSlicer"))
    }
    before = {name: sys.modules.get(name) for name in stand_ins}
    submodules = {name.partition(".")[2]: module for name, module in stand_ins.items() if name.startswith("slicer.")}
    added = {**classes, **submodules, "selfTests": {}}
    sys.modules.update(stand_ins)
    for name, thing in added.items():
        setattr(slicer, name, thing)
    try:
        yield
    finally:
        for name in added:
            delattr(slicer, name)
        for name, module in before.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module
