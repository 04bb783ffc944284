"""Jobs side by side: what is seen of them, and what their failures and a signal come to."""

import signal
import subprocess
import sys

import pytest
from django.conf import settings

pytestmark = pytest.mark.shapeless

PRINT = "import sys; print(sys.argv[1]); sys.exit(int(sys.argv[2]))"


def command(*jobs: str, at_once: int = 2) -> list[str]:
    return [sys.executable, "-m", "scripts.side_by_side", f"--at-once={at_once}", *jobs]


def says(text: str, exit_code: int = 0) -> str:
    return f"{sys.executable} -c '{PRINT}' {text} {exit_code}"


def run(*jobs: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*jobs), cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=60)


def test_every_line_bears_its_jobs_name_and_the_end_says_how_each_went() -> None:
    done = run(f"one={says('hello')}", f"three={says('there')}", f"last={says('bye')}")
    assert done.returncode == 0
    assert {"one    hello", "three  there", "last   bye"} <= set(done.stdout.splitlines())
    ends = done.stdout.splitlines()[-3:]
    assert [line.split(" after ")[0] for line in ends] == ["one    passed", "three  passed", "last   passed"]


def test_one_that_fails_lets_the_others_end_and_is_shown_again() -> None:
    done = run(f"bad={says('because', 3)}", f"good={says('fine')}")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[lines.index("--- the end of bad ---") + 1] == "because"
    assert "--- the end of good ---" not in lines
    assert [line.split(" after ")[0] for line in lines[-2:]] == ["bad   FAILED with 3", "good  passed"]


def test_a_signal_ends_what_runs_and_starts_no_more() -> None:
    waits = f"{sys.executable} -c 'import signal; print(\"up\", flush=True); signal.pause()'"
    with subprocess.Popen(
        command(f"waiting={waits}", f"next={waits}", at_once=1),
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting  up\n"
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read().splitlines()
        assert process.wait(30) == 1
    assert any("KeyboardInterrupt" in line for line in rest)
    assert rest[-1].startswith("next     not run")


def test_what_is_no_job_is_refused() -> None:
    assert run("nothing").returncode == 2
