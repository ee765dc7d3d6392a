"""Rewrite the generated tables of docs/: figures from the measured rows, parameters from the models.

Run as ``python -m Testing.Benchmarks.tables``.
"""

from __future__ import annotations

import math
from pathlib import Path

from Testing.Benchmarks.results import RESULTS, Row, reached, read
from TumorTwinLib.models import glioblastoma
from TumorTwinLib.models.parameters import Parameter

DOCS = Path(__file__).resolve().parents[2] / "docs"
DOCUMENT = DOCS / "figures.md"
MODEL_DOCUMENT = DOCS / "glioblastoma.md"


def _number(value: float) -> str:
    return f"{value:.4g}"


def _line(row: Row) -> str:
    bound = {"lower": "at most", "higher": "at least"}[row["better"]]
    target = "" if row["target"] is None else f"{bound} {_number(row['target'])}"
    verdict = {True: "yes", False: "**no**", None: ""}[reached(row)]
    name, command = f"`{row['name']}`", f"`{row['command']}`"
    return "| " + " | ".join([name, _number(row["value"]), row["unit"], target, verdict, command, row["date"]]) + " |"


def area_table(area: str, rows: list[Row]) -> str:
    """One area as Markdown: a heading, the machine or machines, a table."""
    machines = "; ".join(sorted({row["machine"] for row in rows}))
    head = "| figure | value | unit | target | reached | command | date |\n|---|---:|---|---|---|---|---|"
    return "\n".join([f"### {area}", "", f"Measured on: {machines}.", "", head, *map(_line, rows)])


def parameter_table(parameters: tuple[Parameter, ...]) -> str:
    """The parameters of a model as a Markdown table."""
    lines = ["| parameter | symbol | unit | prior median | 95 % of the prior | bounds |", "|---|---|---|---|---|---|"]
    for p in parameters:
        low, high = (p.median * math.exp(sign * 1.96 * p.log_sd) for sign in (-1, 1))
        cells = [f"`{p.name}`, {p.description}", p.symbol, p.unit, _number(p.median)]
        cells += [f"{low:.2g} to {high:.2g}", f"{p.lower:g} to {p.upper:g}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def rewrite(document: str, name: str, content: str) -> str:
    """The document with what stands between the markers of this name replaced."""
    opening, closing = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, begin, rest = document.partition(opening)
    _, end, after = rest.partition(closing)
    if not (begin and end):
        raise ValueError(f"the document has no {opening} ... {closing} block")
    return f"{before}{opening}\n{content}\n{closing}{after}"


def main(results: Path = RESULTS, document: Path = DOCUMENT, model_document: Path = MODEL_DOCUMENT) -> None:
    areas = sorted(path.stem for path in results.glob("*.json"))
    tables = "\n\n".join(area_table(area, read(area, folder=results)) for area in areas)
    for path, name, content in (
        (document, "figures", f"\n{tables}\n"),
        (model_document, "parameters", parameter_table(glioblastoma.PARAMETERS)),
    ):
        path.write_text(rewrite(path.read_text(encoding="utf-8"), name, content), encoding="utf-8")
    print(f"{document.name}: {len(areas)} areas")


if __name__ == "__main__":
    main()
