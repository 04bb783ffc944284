"""Makes .venv with exactly the locked packages. Runs on the system's Python, before any package is there."""

import subprocess
import sys
from pathlib import Path

from scripts.system import ensure

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements" / "lock.txt"
OLDEST = (3, 11)


def usable() -> bool:
    """Whether .venv has a Python that still runs (its base may have been upgraded away) and is new enough."""
    probe = f"import sys; sys.exit(sys.version_info < {OLDEST})"
    try:
        return subprocess.run([VENV / "bin" / "python", "-c", probe]).returncode == 0
    except OSError:
        return False


def main() -> None:
    if sys.version_info < OLDEST:
        sys.exit(f"Missing: Python 3.11 or newer (this is {sys.version.split()[0]}; say PYTHON=...)")
    if not usable():
        ensure(["venv"])
        print("Making .venv", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
    print("Installing the packages of requirements/lock.txt", flush=True)
    pip = [str(VENV / "bin" / "python"), *["-m", "pip", "--disable-pip-version-check", "install", "-qq"]]
    subprocess.run([*pip, "--require-hashes", "--requirement", LOCK], check=True)
    (VENV / ".locked").touch()


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"Failed: {' '.join(map(str, error.cmd))}")
