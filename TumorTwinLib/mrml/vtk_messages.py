"""VTK's errors and warnings as Python log records, instead of a wall of text on the terminal."""

from __future__ import annotations

import logging

import vtk

logger = logging.getLogger("TumorTwin.vtk")


def send_vtk_messages_to_logging() -> None:
    """Errors become log errors, warnings log at INFO: nothing is lost, and only errors reach a bare terminal."""
    window = vtk.vtkOutputWindow()
    window.SetDisplayModeToNever()
    window.AddObserver("ErrorEvent", _on_error)
    window.AddObserver("WarningEvent", _on_warning)
    vtk.vtkOutputWindow.SetInstance(window)
    vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_OFF)


def _sentence(message: str) -> str:
    """VTK writes "ERROR: In file.cxx, line 12\\nclass (0x...): what"; the part after the first line is the news."""
    return message.strip().partition("\n")[2].strip() or message.strip()


@vtk.calldata_type(vtk.VTK_STRING)
def _on_error(_window, _event, message: str) -> None:
    logger.error(_sentence(message))


@vtk.calldata_type(vtk.VTK_STRING)
def _on_warning(_window, _event, message: str) -> None:
    logger.info(_sentence(message))
