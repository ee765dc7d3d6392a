"""Tables, lists and words of the report, as HTML and as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from datetime import datetime, timedelta
from html import escape


def bullets(sentences: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences) + "</ul>" if sentences else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numeric: Set[int] = frozenset()) -> str:
    """An HTML table of plain text, its first column as row headings; empty when there are no rows."""

    def cell(column: int, text: str, tag: str, scope: str = "") -> str:
        align = ' class="number"' if column in numeric else ""
        return f"<{tag}{scope}{align}>{escape(text)}</{tag}>"

    body = [
        "<tr>" + "".join(cell(c, text, "td" if c else "th", "" if c else ' scope="row"') for c, text in enumerate(row))
        for row in rows
    ]
    if not body:
        return ""
    top = "".join(cell(c, text, "th", ' scope="col"') for c, text in enumerate(head))
    lines = "</tr>\n".join(body)
    return f"<table>\n<thead><tr>{top}</tr></thead>\n<tbody>\n{lines}</tr>\n</tbody>\n</table>"


def words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def day_text(day: float) -> str:
    return f"{day:.1f}".removesuffix(".0")


def date_text(start: datetime, day: float) -> str:
    return f"{start + timedelta(days=day):%Y-%m-%d}"
