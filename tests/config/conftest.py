"""The static files of a deployment, collected once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings


@pytest.fixture(scope="package")
def collected(tmp_path_factory: pytest.TempPathFactory, _database: None) -> dict[str, str]:
    """The environment of a server with collected files. An import of a module that is not there would stop the
    collecting."""
    data = tmp_path_factory.mktemp("collected")
    database = os.environ["DATABASE_URL"] or f"sqlite:///{os.environ['ROSTRUM_DATA']}/rostrum.sqlite3"
    env = {"DEBUG": "false", "ROSTRUM_DATA": str(data), "DATABASE_URL": database}
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--no-input"],
        cwd=settings.BASE_DIR,
        env={**os.environ, **env},
        check=True,
        capture_output=True,
    )
    return env


@pytest.fixture(scope="package")
def collected_files(collected: dict[str, str]) -> Path:
    return Path(collected["ROSTRUM_DATA"]) / "static"
