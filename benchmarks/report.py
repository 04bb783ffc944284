"""The results as a file and as a table.

    .venv/bin/python benchmarks/report.py [--markdown]

prints the table of results/latest.json; with --markdown it writes it into README.md, between its markers.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.targets import LINES, Line, Row

HERE = Path(__file__).resolve().parent
README = HERE / "README.md"
LATEST = HERE / "results" / "latest.json"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
NAMES = {"socket.io": "Socket.IO", "channels": "Channels", "nginx": "nginx"}
"""Of what Rostrum is compared with."""
DATABASES = ("sqlite", "postgresql")
HEADER = ("", "reference", "SQLite", "target", "", "PostgreSQL", "target", "")


def write_results(path: Path, results: dict[str, Any], raw: list[dict[str, Any]], *, keep_other_cases: bool) -> None:
    """Writes a run's results, and each run of the load generator as a line of a file beside it.

    With `keep_other_cases`, what both files have of cases that were not run is kept: a case's systems are
    always measured together, so its ratios stay those of one run.
    """
    rows = [{**row, "measured_at": results["measured_at"]} for row in results["rows"]]
    lines_path = path.with_suffix(".jsonl")
    if keep_other_cases and path.exists():
        measured = {row["case"] for row in rows}
        rows = [row for row in json.loads(path.read_text())["rows"] if row["case"] not in measured] + rows
        earlier = map(json.loads, lines_path.read_text().splitlines()) if lines_path.exists() else ()
        raw = [line for line in earlier if line["case"] not in measured] + raw
    path.write_text(json.dumps({**results, "rows": rows}, indent=1) + "\n")
    lines_path.write_text("".join(json.dumps(line) + "\n" for line in raw))


def one_line(metrics: dict[str, float]) -> str:
    """What one measurement came to, for the progress."""
    shown = (
        ("deliveries_per_s", "deliveries/s"),
        ("acks_per_s", "acks/s"),
        ("mb_per_s", "MB/s"),
        ("p50_ms", "ms p50"),
        ("p99_ms", "ms p99"),
        ("ack_p99_ms", "ms p99 to the acknowledgement"),
        ("drain_s", "s until all have everything"),
        ("kib_per_connection", "KiB a connection"),
        ("memory_rise_mb", "MB more memory"),
        ("redis_commands_per_message", "Redis commands a message"),
        ("members_of_second_process", "members in the second process"),
    )
    parts = [f"{number(metrics[name])} {unit}" for name, unit in shown if name in metrics]
    if not parts:
        parts = [f"{number(metrics['logins_per_s'])} logins/s"]
    faults = ("missing", "refused", "connections_lost", "repeats_or_backward", "skips")
    parts += [f"{name}: {metrics[name]:.0f}" for name in faults if metrics.get(name)]
    if "client_cpu" in metrics:
        parts.append(f"cpu server {metrics['server_cpu']:.0%} client {metrics['client_cpu']:.0%}")
    return ", ".join(parts)


def number(value: float) -> str:
    if value >= 10_000:
        return f"{value / 1000:,.0f}k"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def cells(line: Line, rows: list[Row]) -> tuple[str, ...] | None:
    """A line of the table; None when nothing of it was measured."""
    found = False
    out = [line.title, ""]
    for database in DATABASES:
        value, ratio = line.value(rows, database), line.ratio(rows, database)
        reference = line.reference(rows, database)
        if reference is not None and (name := NAMES.get((line.against or {}).get("system", ""))):
            out[1] = f"{name} {number(reference)} {line.unit}"
        if value is None:
            out += ["", "", ""]
            continue
        found = True
        figure = f"{number(value)} {line.unit}"
        out.append(f"{figure}, {ratio:.2f}x" if ratio is not None else figure)
        limit, met = line.limits.get(database), line.met(rows, database)
        sign = "<=" if line.at_most else ">="
        out.append("" if limit is None else f"{sign} {limit:,g}{'x' if line.against else ''}")
        out.append({True: "met", False: "MISSED", None: "reported" if limit is None else "not measured"}[met])
    return tuple(out) if found else None


def table(rows: list[Row]) -> list[tuple[str, ...]]:
    return [HEADER, *(line for line in (cells(line, rows) for line in LINES) if line is not None)]


def text_table(rows: list[Row]) -> str:
    lines = table(rows)
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER))]
    if len(lines) == 1:
        return "Of what the report compares, nothing was measured."
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def markdown_table(results: dict[str, Any]) -> str:
    lines = table(results["rows"])
    body = ["| " + " | ".join(line) + " |" for line in lines]
    machine, versions = results["machine"], results["versions"]
    caption = (
        f"Measured {results['measured_at'][:10]} on {machine['cores']} cores of {machine['cpu']}, "
        f"{machine['memory_gib']} GiB, Linux {machine['kernel']}, {machine['filesystem']}; "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + "."
    )
    return "\n".join([caption, "", body[0], "|" + "---|" * len(HEADER), *body[1:]])


def write_markdown(results: dict[str, Any]) -> None:
    before, _, rest = README.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"{README.name} has no {BEGIN} ... {END}")
    README.write_text(f"{before}{BEGIN}\n{markdown_table(results)}\n{END}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description="The table of benchmarks/results/latest.json.")
    parser.add_argument("--markdown", action="store_true", help="write it into benchmarks/README.md")
    arguments = parser.parse_args()
    results = json.loads(LATEST.read_text())
    if arguments.markdown:
        write_markdown(results)
    else:
        print(text_table(results["rows"]))


if __name__ == "__main__":
    main()
