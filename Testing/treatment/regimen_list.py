"""Writes the regimens of the library into docs/treatment.md."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from TumorTwinLib.treatment.regimens import REGIMENS
from TumorTwinLib.treatment.toxicity import toxicity_proxies

DOCUMENT = Path(__file__).parents[2] / "docs" / "treatment.md"
_MONDAY = datetime(2024, 3, 4, 8)


def table() -> str:
    """Markdown: one row a regimen, with its burden when it begins on a Monday."""
    rows = ["| name | regimen | BED3, Gy | cumulative doses | weeks | source |", "|---|---|---|---|---|---|"]
    for regimen in REGIMENS.values():
        burden = toxicity_proxies(regimen.events(_MONDAY))
        doses = ", ".join(f"{drug} {amount:g} {burden.units[drug]}" for drug, amount in burden.cumulative_dose.items())
        bed = f"{burden.bed3_gy:.0f}" if burden.bed3_gy else ""
        rows.append(f"| `{regimen.name}` | {regimen.title} | {bed} | {doses} | {burden.weeks} | {regimen.source} |")
    return "\n".join(rows)


if __name__ == "__main__":
    text = DOCUMENT.read_text(encoding="utf-8")
    marked = f"<!-- regimens -->\n{table()}\n<!-- /regimens -->"
    DOCUMENT.write_text(re.sub(r"<!-- regimens -->.*<!-- /regimens -->", marked, text, flags=re.DOTALL), "utf-8")
