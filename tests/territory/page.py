"""The generated part of `docs/territories.md`, and its writer: `python -m tests.territory.page`."""

from __future__ import annotations

from pathlib import Path

from sayso.territory.table import ALIASES, OUTSIDE, ROWS

PAGE = Path(__file__).parents[2] / "docs" / "territories.md"
BEGIN, END = "<!-- generated: begin -->", "<!-- generated: end -->"


def generated() -> str:
    """Every row, every edge and every alias of the table, as Markdown."""
    lines: list[str] = []
    for group in sorted({row.group for row in ROWS}):
        lines += [f"### `{group}`", "", "| code | from | until | basis | checked |", "| --- | --- | --- | --- | --- |"]
        for row in ROWS:
            if row.group == group:
                until = row.until or ""
                lines.append(f"| {row.code} | {row.since} | {until} | {row.basis} | {'yes' if row.checked else 'no'} |")
        lines.append("")
    lines += ["### Taken for members, and not", "", "| code | why | checked |", "| --- | --- | --- |"]
    lines += [f"| {edge.code} | {edge.why} | {'yes' if edge.checked else 'no'} |" for edge in OUTSIDE]
    lines += ["", "### Aliases", "", "| written | read as |", "| --- | --- |"]
    lines += [f"| {alias} | {code} |" for alias, code in sorted(ALIASES.items())]
    return "\n".join(lines)


def with_tables(text: str) -> str:
    """A page's text with its tables written anew."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{generated()}\n\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text("utf-8")), "utf-8")
