"""Keep the lists of installed files in CMake equal to the files on disk.

A file that is not listed is silently missing from the packaged extension, so the lists are written, not remembered:
``make lists`` rewrites them and a test compares them with the disk.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

MODULE = "TumorTwin/CMakeLists.txt"
LIBRARY = "TumorTwinLib/TumorTwinLib.cmake"


def _files(root: Path, folder: str, relative_to: str = ".") -> list[str]:
    """Files under ``folder`` that are part of the product, as CMake writes them."""
    base = root / relative_to
    return sorted(
        path.relative_to(base).as_posix()
        for path in (root / folder).rglob("*")
        if path.is_file()
        and not any(part.startswith((".", "__pycache__")) for part in path.relative_to(base).parts)
        and path.suffix not in {".cmake", ".md", ".pyc"}
        and path.name != "CMakeLists.txt"
    )


def expected_lists(root: Path) -> dict[tuple[str, str], list[str]]:
    """What each ``set(<variable> ...)`` of each CMake file should hold."""
    module = _files(root, "TumorTwin", relative_to="TumorTwin")
    library = _files(root, "TumorTwinLib")
    sample_data = _files(root, "Resources/SampleData")
    models = _files(root, "Resources/Models")
    return {
        (MODULE, "MODULE_PYTHON_SCRIPTS"): [name for name in module if name.endswith(".py")],
        (MODULE, "MODULE_PYTHON_RESOURCES"): [name for name in module if not name.endswith(".py")],
        (LIBRARY, "LIBRARY_PYTHON_SCRIPTS"): [name for name in library if name.endswith(".py")],
        (LIBRARY, "LIBRARY_RESOURCES"): [name for name in library if not name.endswith(".py")],
        (LIBRARY, "MODELS"): [name for name in models if not name.endswith(".py")],
        (LIBRARY, "SAMPLE_DATA"): [name for name in sample_data if not name.endswith(".py")],
    }


def _block(variable: str) -> re.Pattern[str]:
    return re.compile(rf"(set\({variable}\n)(.*?)(  \))", re.DOTALL)


def listed(text: str, variable: str) -> list[str]:
    """The entries of ``set(<variable> ...)`` in the text of a CMake file."""
    match = _block(variable).search(text)
    if match is None:
        raise ValueError(f"no set({variable} ...) block")
    return match[2].split()


def rewrite(text: str, variable: str, names: list[str]) -> str:
    """The text with the entries of ``set(<variable> ...)`` replaced."""
    listed(text, variable)
    return _block(variable).sub(lambda m: m[1] + "".join(f"  {name}\n" for name in names) + m[3], text, count=1)


def main(root: Path) -> None:
    for (file, variable), names in expected_lists(root).items():
        path = root / file
        text = path.read_text(encoding="utf-8")
        changed = rewrite(text, variable, names)
        if changed != text:
            path.write_text(changed, encoding="utf-8")
        print(f"{file} {variable}: {len(names)} files{' (changed)' if changed != text else ''}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[1]))
