"""What the settings promise: a durable database, a secret kept secret, one list of the variables."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from config.secret_key import kept_secret_key

pytestmark = pytest.mark.shapeless

SETTINGS = settings.BASE_DIR / "config" / "settings.py"


def value_of(statement: str) -> str:
    """What the database says to a PRAGMA or SHOW statement."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return str(cursor.fetchone()[0])


def test_a_commit_is_on_the_disk_before_it_is_acknowledged(shape: str) -> None:
    if shape == "embedded":
        assert value_of("PRAGMA journal_mode") == "wal"
        assert value_of("PRAGMA synchronous") == "2"  # FULL
        assert value_of("PRAGMA wal_autocheckpoint") == "20000"
        assert connection.settings_dict["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    else:
        assert value_of("SHOW fsync") == "on"
        assert value_of("SHOW synchronous_commit") == "on"
        assert value_of("SHOW idle_in_transaction_session_timeout") == "2s"


def test_processes_that_start_together_keep_one_secret_key(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(kept_secret_key, [path] * 64))
    assert len(keys) == 1
    assert len(keys.pop()) >= 50
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


PAGES = """
import django
django.setup()
from django.conf import settings
from django.test import Client, RequestFactory
from django.views.debug import technical_500_response
refused = Client().get("/", headers={"host": "elsewhere.example"})
try:
    raise LookupError
except LookupError as error:
    failed = technical_500_response(RequestFactory().get("/"), LookupError, error, error.__traceback__)
print(refused.status_code, failed.status_code, settings.SECRET_KEY)
print(refused.content.decode())
print(failed.content.decode())
"""


def test_pages_for_developers_show_no_secret(tmp_path: Path) -> None:
    """A strange Host header is enough to see one while DEBUG is on."""
    secrets = ["redis-password", "database-password", "secret-of-the-signatures"]
    env = {
        **os.environ,
        "DEBUG": "true",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "ROSTRUM_DATA": str(tmp_path),
        "REDIS_URL": f"rediss://somebody:{secrets[0]}@redis.example:6379/0?password={secrets[0]}",
        "DATABASE_URL": f"postgres://rostrum:{secrets[1]}@postgres.example/rostrum",
        "SECRET_KEY": secrets[2],
    }
    run = subprocess.run(
        [sys.executable, "-c", PAGES], cwd=settings.BASE_DIR, env=env, check=True, capture_output=True, text=True
    )
    first, pages = run.stdout.split("\n", 1)
    assert first == f"400 500 {secrets[2]}"
    assert pages.count("CHANNEL_LAYERS") == pages.count("REDIS_URL") == 2
    assert [secret for secret in secrets if secret in pages] == []


def test_env_example_lists_every_variable() -> None:
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', SETTINGS.read_text()))
    listed = set(re.findall(r"^#([A-Z_]+)=", (settings.BASE_DIR / ".env.example").read_text(), re.MULTILINE))
    assert read == listed


def test_static_files_get_hashed_names_also_inside_modules(collected_files: Path) -> None:
    hashed = re.compile(r"\.[0-9a-f]{12}\.js$")
    modules = [path for path in (collected_files / "rtm").rglob("*.js") if hashed.search(path.name)]
    assert modules
    for module in modules:
        for imported in re.findall(r'\b(?:import|from)\s*"(\.[^"]+)"', module.read_text()):
            assert hashed.search(imported), f"{module.name} imports {imported}"
            assert (module.parent / imported).exists()
