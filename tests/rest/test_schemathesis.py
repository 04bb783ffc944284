"""schemathesis against a real server, all its checks: what the two documents say is what the server does."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async

from projects.limits import RATES
from tests.support.rest import Api
from tests.support.server_process import server_process

pytestmark = pytest.mark.shapeless

DOCUMENTS = {"v1": "/api/openapi.json", "vendor": "/dev/v2/project/openapi.json"}
EXAMPLES = 8
"""For each operation and kind of data."""
SETTINGS = """
[parameters]
"path.app_id" = "{app}"

# "At least one of source and destination" is more than OpenAPI can say of parameters.
[[operations]]
include-operation-id = "rooms_api_history_count_history"
checks.positive_data_acceptance.enabled = false
"""


@pytest.mark.parametrize("document", DOCUMENTS)
async def test_schemathesis_runs_clean(make_api: Callable[..., Api], tmp_path: Path, document: str) -> None:
    limits = {"rates": {name: [1_000_000, 1_000] for name in RATES}}
    api = await sync_to_async(make_api)(limits=limits)
    config = tmp_path / "schemathesis.toml"
    config.write_text(SETTINGS.format(app=api.app))
    async with server_process("manage.py", "serve", env={"PORT": "0"}) as server:
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("st")),
            "--config-file",
            str(config),
            "run",
            server.url + DOCUMENTS[document],
            "--header",
            f"Authorization: {api.headers['authorization']}",
            f"--max-examples={EXAMPLES}",
            "--generation-deterministic",
            "--workers=1",
            "--no-color",
            "--warnings=off",
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()
