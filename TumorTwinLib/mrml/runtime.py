"""Make `slicer` of the slicer-core package look like the running application, where the desktop is absent.

slicer-core carries Slicer's C++ libraries without Qt and without an application: no scene, no modules, no IO
manager. Real Slicer has all of that, and there this file changes nothing.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from TumorTwinLib.errors import TumorTwinError


def ensure_slicer() -> ModuleType:
    """The `slicer` module with a scene, an application and modules, whether or not the desktop runs.

    Raises:
        TumorTwinError: neither Slicer nor slicer-core is here.
    """
    try:
        import slicer
    except ImportError as error:
        raise TumorTwinError(
            "Slicer's libraries are missing: run inside 3D Slicer 5.12 or later, or `pip install slicer-core`."
        ) from error
    if not hasattr(slicer, "mrmlScene"):
        _start(slicer)
    return slicer


def _start(slicer: Any) -> None:
    from TumorTwinLib.mrml.application import Application
    from TumorTwinLib.mrml.vtk_messages import send_vtk_messages_to_logging

    send_vtk_messages_to_logging()
    temporary = Path(tempfile.mkdtemp(prefix="tumortwin-slicer-"))
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    application = Application(slicer.vtkMRMLScene(), temporary)
    slicer.mrmlScene = application.mrmlScene()
    slicer.modules = application.modules
    slicer.app = application
