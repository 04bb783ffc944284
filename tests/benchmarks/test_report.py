"""The benchmark's report: what is held against what, and what is kept of earlier runs."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import report
from benchmarks.cases import CASES
from benchmarks.targets import LINES, SOCKETIO, Line

RATIO = Line("speed", "burst", 100, "1 sender", "deliveries_per_s", "/s", SOCKETIO, {"sqlite": 4.0})
LATENCY = Line("delay", "burst", 100, "1 sender", "p99_ms", "ms", limits={"sqlite": 12.0}, at_most=True)


def row(system: str, database: str | None, case: str = "burst", **metrics: float) -> dict[str, Any]:
    place = {"case": case, "n": 100, "system": system, "database": database, "variant": "1 sender"}
    return {**place, **metrics}


ROWS = [
    row("rostrum", "sqlite", deliveries_per_s=600.0, p99_ms=12.5),
    row("socket.io", None, deliveries_per_s=150.0, p99_ms=14.0),
]


def test_a_ratio_is_to_the_other_system_s_row_and_a_value_is_held_as_it_is() -> None:
    assert RATIO.ratio(ROWS, "sqlite") == 4.0
    assert RATIO.met(ROWS, "sqlite") is True
    assert LATENCY.met(ROWS, "sqlite") is False


def test_without_a_figure_or_a_target_nothing_is_met_or_missed() -> None:
    assert RATIO.met(ROWS[:1], "sqlite") is None
    assert RATIO.met(ROWS, "postgresql") is None


def test_every_target_is_about_something_that_a_full_run_measures() -> None:
    measured = {
        (case.name, point.n, ", ".join(part for part in (system.variant, point.variant) if part))
        for case in CASES
        for system in case.systems
        for point in case.points
    }
    assert {(line.case, line.n, line.variant) for line in LINES} <= measured


def test_cases_that_were_not_run_keep_their_rows(tmp_path: Path) -> None:
    path = tmp_path / "latest.json"
    first = [row("rostrum", "sqlite", "burst", p99_ms=1.0), row("rostrum", "sqlite", "steady", p99_ms=1.0)]
    raw: list[dict[str, Any]] = [{"case": "burst", "run": 1}, {"case": "steady", "run": 1}]
    report.write_results(path, {"measured_at": "then", "rows": first}, raw, keep_other_cases=True)
    second = [row("rostrum", "sqlite", "steady", p99_ms=2.0)]
    report.write_results(
        path, {"measured_at": "now", "rows": second}, [{"case": "steady", "run": 2}], keep_other_cases=True
    )
    rows = json.loads(path.read_text())["rows"]
    assert [(row["case"], row["p99_ms"], row["measured_at"]) for row in rows] == [
        ("burst", 1.0, "then"),
        ("steady", 2.0, "now"),
    ]
    lines = path.with_suffix(".jsonl").read_text().splitlines()
    assert [json.loads(line)["run"] for line in lines] == [1, 2]


def test_the_table_goes_between_the_readme_s_markers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(report.README.read_text())
    monkeypatch.setattr(report, "README", readme)
    machine = {"cores": 2, "cpu": "a processor", "memory_gib": 1.0, "kernel": "6", "filesystem": "ext4"}
    results = {"measured_at": "2026-01-02T03:04", "machine": machine, "versions": {"node": "20"}, "rows": ROWS}
    for _ in range(2):  # it replaces what it wrote
        report.write_markdown(results)
    text = readme.read_text()
    assert text.count("600 deliveries/s, 4.00x | >= 4x | met") == 1
    assert text.count(report.BEGIN) == text.count(report.END) == 1
