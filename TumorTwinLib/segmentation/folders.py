"""Where models are: those that ship with TumorTwin, and the user's own folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

MODELS_VARIABLE = "TUMORTWIN_MODELS"  # an environment variable with the user's models folder


def shipped_models_folder() -> Path:
    """``Resources/Models``: beside the library in a checkout, an installed extension and a pip installation."""
    library = Path(__file__).resolve().parents[1]
    beside = library.parent / "Resources" / "Models"
    return beside if beside.is_dir() else library / "Resources" / "Models"


def user_models_folder() -> Path:
    """Where downloads and imports go: ``TUMORTWIN_MODELS``, or the platform's folder for data of programs.

    It need not exist yet.
    """
    chosen = os.environ.get(MODELS_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "TumorTwin" / "Models"
