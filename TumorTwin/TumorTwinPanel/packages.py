"""The Python packages a run needs: found without importing them, installed on Apply after the user agreed."""

from __future__ import annotations

import importlib.metadata
import platform

import slicer.packaging
from slicer.i18n import tr as _

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.version import VERSION

# From the first PyTorch with NumPy 2 wheels on every platform to the newest that was tested.
_TORCH = ">=2.6,<2.14"
_SHOWN = ("numpy", "scipy", "numba", "torch")


def ensurePackages(requirementsPath: str, device: str) -> None:
    """Install what is missing for this device, after asking; does nothing when all is there.

    Raises:
        TumorTwinError: the user declined, or the installation failed.
    """
    if device != "cpu":
        _ensureTorch()
    elif not (_isInstalled("numba") or _isInstalled("torch")):  # either can solve; numba is small and faster
        _ensureNumba(requirementsPath)


def packagesText() -> str:
    """One line with the versions, for the panel."""
    versions = [f"TumorTwin {VERSION}", f"Python {platform.python_version()}"]
    return ", ".join([*versions, *(f"{name} {_version(name)}" for name in _SHOWN)])


def _ensureNumba(requirementsPath: str) -> None:
    try:
        requirements = slicer.packaging.load_requirements(requirementsPath)
        slicer.packaging.pip_ensure(requirements, requester="TumorTwin")
    except Exception as error:
        text = _("numba is needed and was not installed: press Apply again, or see Offline installation in the README.")
        raise TumorTwinError(text) from error


def _ensureTorch() -> None:
    if _isInstalled("torch"):
        return
    try:
        import PyTorchUtils
    except ModuleNotFoundError as error:
        text = _(
            "The device cuda needs PyTorch: install the PyTorch extension in the Extensions Manager and restart, "
            "or choose the device cpu under Advanced."
        )
        raise TumorTwinError(text) from error
    logic = PyTorchUtils.PyTorchUtilsLogic()
    if logic.installTorch(askConfirmation=True, torchVersionRequirement=_TORCH) is None:
        text = _("The device cuda needs PyTorch, which was not installed: choose the device cpu under Advanced.")
        raise TumorTwinError(text)


def _isInstalled(name: str) -> bool:
    return slicer.packaging.pip_check(name)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return _("not installed")
