"""docs/treatment.md lists the regimens there are. ``python -m Testing.treatment.regimen_list`` writes it anew."""

from __future__ import annotations

import re

from Testing.treatment.regimen_list import DOCUMENT, table
from TumorTwinLib.treatment.regimens import REGIMENS


def test_the_document_lists_the_library():
    text = DOCUMENT.read_text(encoding="utf-8")
    assert table() in text
    assert len(re.findall(r"^\| `", table(), re.MULTILINE)) == len(REGIMENS)
