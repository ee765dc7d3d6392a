"""The documents of the panel say what the panel says."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from xml.etree import ElementTree

NAMED = {"QPushButton", "ctkCollapsibleButton", "ctkCollapsibleGroupBox", "QLabel", "QCheckBox"}


def _texts(file: Path) -> set[str]:
    """The strings of a Python file, with ``...`` for what is filled in."""
    texts = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "..." for part in node.values)
            texts.add("".join(parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.add(re.sub(r"\{[^{}]*\}", "...", node.value))
    return texts


def test_error_texts_of_the_troubleshooting_are_in_the_code(repository):
    code = set()
    for room in ("TumorTwin", "TumorTwinLib"):
        for file in (repository / room).rglob("*.py"):
            code |= _texts(file)
    document = (repository / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    headings = re.findall(r"^### `(.+)`$", document, re.MULTILINE)
    assert len(headings) > 15
    assert [heading for heading in headings if heading not in code] == []


def test_every_control_is_in_the_reference(repository):
    document = (repository / "docs" / "panel.md").read_text(encoding="utf-8")
    text = re.sub(r"\s+", " ", document)
    missing = []
    for widget in ElementTree.parse(repository / "TumorTwin/Resources/UI/TumorTwin.ui").iter("widget"):
        found = widget.find("property[@name='text']/string")
        title = found if found is not None else widget.find("property[@name='title']/string")
        if widget.get("class") in NAMED and title is not None and title.text not in text:
            missing.append(title.text)
    assert missing == []


def test_pictures_and_pages_of_the_readme_exist(repository):
    readme = (repository / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\((?!https?:)([^)#]+)", readme)
    assert [name for name in linked if not (repository / name).is_file()] == []
