"""docs/rest.md is true: its curl examples run, in order, against a server, and answer what stands below them."""

import asyncio
import json
import re
from base64 import b64decode
from pathlib import Path
from typing import Any, Final

import pytest
from django.conf import settings

from config.api import v1, vendor
from realtime.rest.errors import VENDOR_FAILURES
from tests.support.rest import Api
from tests.support.server_process import server_process

PAGE: Final = (Path(settings.BASE_DIR) / "docs" / "rest.md").read_text()
EXAMPLES: Final = re.findall(r"```sh\n(.*?)```\n+```json\n(.*?)```", PAGE, re.DOTALL)
MADE_UP: Final = frozenset({"request_id", "location", "ms", "ts", "token", "expires_at", "until"})


def told(value: Any) -> Any:
    """Without what every server makes up."""
    if isinstance(value, dict):
        return {key: "..." if key in MADE_UP else told(each) for key, each in value.items()}
    return [told(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
async def test_the_examples_answer_what_stands_below_them(api: Api, tmp_path: Path, kind: str) -> None:
    assert len(EXAMPLES) == PAGE.count("```sh") >= 11
    async with server_process("manage.py", "serve", env={"PORT": "0", "SERVER": kind}) as server:
        key = b64decode(api.headers["authorization"].removeprefix("Basic ")).decode()
        names = f"HOST={server.url} APP={api.app} KEY={key}\n"
        for command, expected in EXAMPLES:
            process = await asyncio.create_subprocess_exec(
                "bash",
                "-euo",
                "pipefail",
                "-c",
                names + command,
                cwd=tmp_path,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            output, _ = await process.communicate()
            assert process.returncode == 0, (command, output)
            assert told(json.loads(output)) == told(json.loads(expected)), command


def test_the_page_has_every_status_of_the_vendors_errors() -> None:
    listed = re.search(r'"reason"\}`; ([0-9, ]+)', PAGE)
    assert listed is not None
    assert {int(status) for status in listed[1].split(",")} == VENDOR_FAILURES


def test_the_page_names_every_call() -> None:
    paths = [path for interface in (v1, vendor) for path in interface.get_openapi_schema()["paths"]]
    for path in paths:
        last = re.sub(r"\{(handle|media|seq)\}$", "", path).rstrip("/").rpartition("/")[2]
        assert last in PAGE, path
