"""Slicer's Python packages that slicer-core lacks: translation and installing packages, without installing any."""

from __future__ import annotations

import importlib.metadata
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import slicer
from packaging.requirements import Requirement


@dataclass
class PackageDesk:
    """What a module asked `slicer.packaging` for.

    Attributes:
        calls: (function, arguments) in order; nothing is ever installed.
        absent: packages that count as not installed.
        fails_with: raised by the next installation, e.g. a CalledProcessError.
    """

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    absent: set[str] = field(default_factory=set)
    fails_with: Exception | None = None

    def clear(self) -> None:
        self.calls.clear()
        self.absent.clear()
        self.fails_with = None


packages = PackageDesk()


def i18n_module() -> types.ModuleType:
    """The module to be imported as `slicer.i18n`: texts stay English."""
    module = types.ModuleType("slicer.i18n", "Translation")
    module.tr = lambda text: text
    module.translate = lambda _context, text: text
    return module


def packaging_module() -> types.ModuleType:
    """The module to be imported as `slicer.packaging`, with the functions of Slicer 5.12."""
    module = types.ModuleType("slicer.packaging", "Python packages")
    for function in (load_requirements, pip_check, pip_ensure, pip_install, pip_uninstall):
        setattr(module, function.__name__, function)
    return module


def load_requirements(path: str | Path) -> list[Requirement]:
    lines = (line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


def pip_check(req) -> bool:
    """True when all is installed here and not in `packages.absent`."""
    return all(_installed(one) for one in _requirements(req))


def pip_ensure(
    requirements,
    constraints=None,
    skip_packages=None,
    prompt_install: bool = True,
    prompt_restart: bool = True,
    requester: str | None = None,
    skip_in_testing: bool = True,
    show_progress: bool = True,
) -> None:
    """Ask the user and install what is missing.

    Raises:
        RuntimeError: the user declined.
    """
    packages.calls.append(("pip_ensure", {"requirements": requirements, "requester": requester}))
    missing = [str(one) for one in _requirements(requirements) if not _installed(one)]
    if not missing:
        return
    question = f"{requester or 'This module'} requires Python packages that are not installed: {', '.join(missing)}"
    if prompt_install and not slicer.util.confirmOkCancelDisplay(question, "Install Python packages?"):
        raise RuntimeError("User declined package installation")
    pip_install(missing)


def pip_install(requirements, **options) -> None:
    packages.calls.append(("pip_install", {"requirements": requirements, **options}))
    failure, packages.fails_with = packages.fails_with, None
    if failure is not None:
        raise failure
    packages.absent -= {one.name for one in _requirements(requirements)}


def pip_uninstall(requirements, **options) -> None:
    packages.calls.append(("pip_uninstall", {"requirements": requirements, **options}))
    packages.absent |= {one.name for one in _requirements(requirements)}


def _requirements(requirements) -> list[Requirement]:
    if isinstance(requirements, str):
        requirements = requirements.split()
    elif isinstance(requirements, Requirement):
        requirements = [requirements]
    return [one if isinstance(one, Requirement) else Requirement(one) for one in requirements]


def _installed(requirement: Requirement) -> bool:
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    if requirement.name in packages.absent:
        return False
    try:
        return importlib.metadata.version(requirement.name) in requirement.specifier
    except importlib.metadata.PackageNotFoundError:
        return False
