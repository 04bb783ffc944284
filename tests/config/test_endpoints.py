"""The map from areas to servers, from the environment to clients of any origin."""

import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import Client, override_settings

from config.endpoints import AREAS, parse_endpoints


def test_nobody_is_sent_anywhere_by_default(client: Client) -> None:
    answer = client.get("/rtm/endpoints")
    assert (answer.status_code, answer.json()) == (200, {"endpoints": []})


def test_pages_of_any_origin_read_the_map_anew_each_time(client: Client) -> None:
    with override_settings(RTM_ENDPOINTS=parse_endpoints("EUROPE=https://eu.example,CHINA=https://cn.example")):
        answer = client.get("/rtm/endpoints", headers={"origin": "https://app.example"})
    assert answer.json() == {
        "endpoints": [
            {"area": "EUROPE", "url": "https://eu.example"},
            {"area": "CHINA", "url": "https://cn.example"},
        ]
    }
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert answer["Cache-Control"] == "no-cache"
    assert client.post("/rtm/endpoints").status_code == 405


@pytest.mark.parametrize("area", AREAS)
def test_every_area_of_the_contract_may_have_servers(area: str) -> None:
    contract = (settings.BASE_DIR / "docs" / "contract.md").read_text()
    assert f"| areas | `{' '.join(AREAS)}`;" in contract
    assert parse_endpoints(f" {area} = https://a.example/ ,{area}=http://b.example:8000,") == [
        (area, "https://a.example"),
        (area, "http://b.example:8000"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "https://eu.example",
        "EUROPE",
        "EUROPE=",
        "Europe=https://eu.example",
        "EU=https://eu.example",
        "EUROPE=eu.example",
        "EUROPE=wss://eu.example",
        "EUROPE=https://eu.example/rtm",
        "EUROPE=https://eu.example?a=1",
        "EUROPE=https://me:secret@eu.example",
        "EUROPE=https://eu.example:port",
        "EUROPE=https://eu.example:0",
        "EUROPE=https://[eu.example",
        "EUROPE=https://东.example",
        "EUROPE=https://eu.example,,CHINA",
    ],
)
def test_what_is_no_map_is_refused(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"\ARTM_ENDPOINTS: "):
        parse_endpoints(text)


def test_a_server_does_not_start_with_a_wrong_map() -> None:
    run = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=settings.BASE_DIR,
        env={**os.environ, "RTM_ENDPOINTS": "MARS=https://mars.example"},
        capture_output=True,
        text=True,
    )
    assert run.returncode != 0
    assert "RTM_ENDPOINTS: 'MARS=https://mars.example' does not begin with one of GLOBAL, INDIA" in run.stderr
