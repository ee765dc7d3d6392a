"""Offscreen windows, and whether this machine can make them.

VTK crashes when it cannot open a window, so the question is asked in another process.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

from TumorTwinLib.errors import TumorTwinError

SUPERSAMPLING = 2  # windows are drawn larger and averaged, which smooths lines without multisampling
_WINDOW = "VTK_DEFAULT_OPENGL_WINDOW"
_TRIAL = """
import vtk
window = vtk.vtkRenderWindow()
window.SetOffScreenRendering(1)
window.SetSize(8, 8)
window.AddRenderer(vtk.vtkRenderer())
window.Render()
raise SystemExit(0 if window.SupportsOpenGL() else 1)
"""


@functools.cache
def graphics_available() -> bool:
    """True when VTK can draw offscreen. The kind of window that worked is what VTK makes from then on.

    Without a display, EGL needs a graphics driver or Mesa (libegl1 and libgl1-mesa-dri on Debian).
    """
    if slicer.util.mainWindow() is not None:
        return True
    kinds: list[str | None] = [None]
    if os.environ.get(_WINDOW):
        kinds = [os.environ[_WINDOW]]
    elif sys.platform.startswith("linux"):
        kinds = ["vtkEGLRenderWindow", "vtkOSOpenGLRenderWindow"]
        if os.environ.get("DISPLAY"):
            kinds.insert(0, None)
    for kind in kinds:
        if _draws(kind):
            if kind:
                os.environ[_WINDOW] = kind
            return True
    return False


def _draws(kind: str | None) -> bool:
    environment = {**os.environ, **({_WINDOW: kind} if kind else {})}
    trial = subprocess.run([sys.executable, "-c", _TRIAL], env=environment, capture_output=True, check=False)
    return trial.returncode == 0


def require_graphics() -> None:
    """Refuse before VTK crashes.

    Raises:
        TumorTwinError: pictures cannot be made on this machine.
    """
    if not graphics_available():
        raise TumorTwinError(
            "Pictures cannot be made here: install a graphics driver or Mesa "
            "(on Debian, apt-get install libegl1 libgl1-mesa-dri)."
        )


def offscreen_window(size: tuple[int, int]) -> vtk.vtkRenderWindow:
    """A window whose `picture` has this (width, height) in pixels."""
    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(0)
    window.SetAlphaBitPlanes(1)
    window.SetSize(*(pixels * SUPERSAMPLING for pixels in size))
    return window


def picture(window: vtk.vtkRenderWindow) -> np.ndarray:
    """Render; (height, width, 3) uint8, first row on top."""
    window.Render()
    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.SetInputBufferTypeToRGB()
    grab.ReadFrontBufferOff()
    grab.Update()
    width, height, _ = grab.GetOutput().GetDimensions()
    pixels = numpy_support.vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars())
    large = pixels.reshape(height, width, 3)[::-1].astype(np.float32)
    blocks = large.reshape(height // SUPERSAMPLING, SUPERSAMPLING, width // SUPERSAMPLING, SUPERSAMPLING, 3)
    return np.round(blocks.mean(axis=(1, 3))).astype(np.uint8)
