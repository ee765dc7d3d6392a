"""The rooms of the library and who may import whom. Imports inside functions and type checks count too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

LIBRARY = "TumorTwinLib"
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "version": set(),
    "geometry": {"errors"},
    "nifti_header": {"errors", "geometry"},
    "volume_files": {"errors", "geometry", "nifti_header"},
    "roles": {"errors"},
    "adc_unit": {"errors", "geometry"},
    "csv_rows": {"errors"},
    "visit_folders": {"errors", "csv_rows", "volume_files"},
    "labels": {"errors", "geometry"},
    "terminology": set(),
    "treatment": {"errors", "geometry"},
    "uncertainty": set(),
    "forecast": {"errors", "geometry", "uncertainty"},
    "metrics": {"errors", "geometry"},
    "physics": {"errors", "geometry"},
    "imaging": {"errors", "geometry", "volume_files", "roles", "adc_unit", "csv_rows", "visit_folders", "version"},
    "segmentation": {"errors", "geometry", "volume_files", "version", "metrics", "labels", "terminology"},
    "patient": {
        "errors",
        "geometry",
        "volume_files",
        "roles",
        "adc_unit",
        "csv_rows",
        "visit_folders",
        "labels",
        "treatment",
    },
    "models": {"errors", "geometry", "treatment", "patient", "physics"},
    "inference": {
        "errors",
        "geometry",
        "treatment",
        "patient",
        "physics",
        "models",
        "forecast",
        "metrics",
        "uncertainty",
    },
}
_BELOW_TWIN = {*MAY_IMPORT}
MAY_IMPORT["processing"] = {
    "errors", "version", "geometry", "volume_files", "roles", "visit_folders", "labels", "imaging", "segmentation",
    "treatment", "patient",
}  # fmt: skip
MAY_IMPORT["recommend"] = _BELOW_TWIN
MAY_IMPORT["twin"] = _BELOW_TWIN | {"recommend"}
MAY_IMPORT["report"] = {"errors", "geometry", "forecast", "metrics", "uncertainty", "treatment", "recommend"}
MAY_IMPORT["jobs"] = _BELOW_TWIN | {"processing", "twin", "recommend", "report"}
MAY_IMPORT["cohort"] = MAY_IMPORT["jobs"] | {"jobs"}
MAY_IMPORT["mrml"] = MAY_IMPORT["cohort"] | {"cohort"}

SCENE = {"slicer", "slicer_core", "vtk", "vtkmodules", "sitkUtils", "mrml"}
WINDOWS = {"qt", "ctk", "PySide6", "PySide2", "PyQt5", "PyQt6", "PythonQt"}


class Import(NamedTuple):
    file: str
    line: int
    module: str  # the importing module, dotted
    target: str  # the imported module, dotted
    at_file_scope: bool  # runs on import: not inside a function or a type check


def _is_type_check(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def _walk(node: ast.AST, at_file_scope: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, at_file_scope
        deferred = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or _is_type_check(child)
        yield from _walk(child, at_file_scope and not deferred)


def imports_of(root: Path, folder: str) -> list[Import]:
    """Every import statement of every Python file under ``root/folder``, with relative ones made absolute."""
    files = {path: path.relative_to(root).with_suffix("").parts for path in sorted((root / folder).rglob("*.py"))}
    modules = {".".join(parts[:-1] if parts[-1] == "__init__" else parts) for parts in files.values()}
    found = []
    for path, parts in files.items():
        package = parts[:-1]
        module = ".".join(package if parts[-1] == "__init__" else parts)
        for node, at_file_scope in _walk(ast.parse(path.read_text(encoding="utf-8")), True):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            else:
                base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
                origin = ".".join(filter(None, (base, node.module)))
                # `from package import name` may import a submodule
                targets = [
                    f"{origin}.{alias.name}" if f"{origin}.{alias.name}" in modules else origin for alias in node.names
                ]
            for target in dict.fromkeys(targets):
                found.append(Import(path.relative_to(root).as_posix(), node.lineno, module, target, at_file_scope))
    return found


def room_of(module: str) -> str | None:
    """The room of a dotted library module, or None for the library's front door and for other packages."""
    parts = module.split(".")
    return parts[1] if parts[0] == LIBRARY and len(parts) > 1 else None


def arrow_faults(root: Path) -> list[str]:
    """One sentence for each import that breaks the house's rules."""
    faults = []
    for found in imports_of(root, LIBRARY):
        where = f"{found.file}:{found.line}"
        package = found.target.split(".")[0]
        source, target = room_of(found.module), room_of(found.target)
        if package in SCENE and source != "mrml":
            faults.append(f"{where} imports {found.target}: only TumorTwinLib/mrml may use the scene")
        if package in WINDOWS:
            faults.append(f"{where} imports {found.target}: only TumorTwin/ may use Qt")
        if package == "TumorTwin":
            faults.append(f"{where} imports the module TumorTwin: the library must work without it")
        if package != LIBRARY:
            continue
        if target is None and source is not None:
            faults.append(f"{where} imports the front door TumorTwinLib: import the room instead")
        elif source is not None and source not in MAY_IMPORT:
            faults.append(f"{where} is in a room without a place in the house: add '{source}' to MAY_IMPORT")
        elif source is not None and target != source and target not in MAY_IMPORT[source]:
            faults.append(f"{where}: the arrow {source} -> {target} is not allowed")
    return faults


def import_cycles(root: Path) -> list[list[str]]:
    """Cycles among modules through imports that run at file scope."""
    graph: dict[str, set[str]] = {}
    for found in imports_of(root, LIBRARY):
        if found.at_file_scope and found.target != found.module:
            graph.setdefault(found.module, set()).add(found.target)
    cycles, finished = [], set()

    def visit(module: str, path: list[str]) -> None:
        if module in path:
            cycles.append([*path[path.index(module) :], module])
        elif module not in finished:
            for target in sorted(graph.get(module, ())):
                visit(target, [*path, module])
            finished.add(module)

    for module in sorted(graph):
        visit(module, [])
    return cycles


def test_rooms_have_no_cycle():
    def reaches(room: str, seen: tuple[str, ...] = ()) -> None:
        assert room not in seen, f"rooms import each other: {' -> '.join([*seen, room])}"
        for target in MAY_IMPORT[room]:
            reaches(target, (*seen, room))

    for room in MAY_IMPORT:
        reaches(room)


def test_arrows_point_down(repository):
    assert arrow_faults(repository) == []


def test_no_import_cycles(repository):
    assert import_cycles(repository) == []


def test_only_the_module_folder_uses_qt(repository):
    users = {
        found.file
        for folder in ("TumorTwinLib", "Resources", "Testing/Benchmarks")
        for found in imports_of(repository, folder)
        if found.target.split(".")[0] in WINDOWS
    }
    assert users == set()


def test_module_file_imports_nothing_heavy_at_file_scope(repository):
    heavy = {"numpy", "scipy", "torch", "numba", "SimpleITK", "monai", "pandas", "matplotlib"}
    at_start = {found.target.split(".")[0] for found in imports_of(repository, "TumorTwin") if found.at_file_scope}
    assert at_start & heavy == set()


@pytest.mark.parametrize(
    ("file", "source", "fault"),
    [
        ("physics/solver.py", "from TumorTwinLib.twin import DigitalTwin", "the arrow physics -> twin"),
        ("geometry.py", "def f():\n    from TumorTwinLib.patient.data import Visit", "the arrow geometry -> patient"),
        ("physics/solver.py", "from .. import models", "the arrow physics -> models"),
        (
            "treatment/drugs.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..models.glioblastoma import Model",
            "the arrow treatment -> models",
        ),
        ("twin.py", "import vtk", "only TumorTwinLib/mrml may use the scene"),
        ("report/html.py", "def f():\n    import slicer.util", "only TumorTwinLib/mrml may use the scene"),
        ("mrml/nodes.py", "import qt", "only TumorTwin/ may use Qt"),
        ("mrml/nodes.py", "import TumorTwin", "the library must work without it"),
        ("models/glioblastoma.py", "import TumorTwinLib as tt", "import the room instead"),
        ("attic/old.py", "from TumorTwinLib.errors import TumorTwinError", "add 'attic' to MAY_IMPORT"),
    ],
)
def test_a_forbidden_import_is_found(tmp_path, file, source, fault):
    for name in ("models/glioblastoma.py", "models/__init__.py", file):
        (tmp_path / LIBRARY / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / LIBRARY / name).write_text("")
    (tmp_path / LIBRARY / file).write_text(source)
    faults = arrow_faults(tmp_path)
    assert len(faults) == 1
    assert fault in faults[0]
    assert faults[0].startswith(f"{LIBRARY}/{file}:")


def test_a_cycle_is_found_and_a_deferred_import_is_not_one(tmp_path):
    room = tmp_path / LIBRARY / "patient"
    room.mkdir(parents=True)
    (room / "data.py").write_text("from TumorTwinLib.patient import folder")
    (room / "folder.py").write_text("from TumorTwinLib.patient.data import Visit")
    assert import_cycles(tmp_path) == [
        [f"{LIBRARY}.patient.data", f"{LIBRARY}.patient.folder", f"{LIBRARY}.patient.data"]
    ]
    (room / "data.py").write_text("def read():\n    from TumorTwinLib.patient import folder")
    assert import_cycles(tmp_path) == []
