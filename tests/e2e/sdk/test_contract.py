"""The SDK's contract, method by method, in Chromium against a real server; and wherever else it runs."""

import json
import subprocess

import pytest
from django.conf import settings
from playwright.sync_api import Browser

from projects.demo import DEMO_APP_ID
from tests.e2e.sdk.stage import (
    BUNDLE,
    JS,
    MODULES,
    PLAY_IN_WORKER,
    SCENARIOS,
    Stage,
    contract_codes,
    scenarios,
    serve_scenarios,
)
from tests.e2e.server import ServerProcess

SETTLED = "settled"
"""Scenarios that wait until the server has been up for half a minute, so they come last."""
FILES = sorted(file.stem for file in SCENARIOS.glob("*.js") if file.stem != SETTLED)
ALL = [(file, scenario) for file in FILES for scenario in scenarios(file)]
# A way of each kind: ordered messages, pushes and answers, an event with every part of the client, a transfer.
TELLING = [
    ("channels", "a_message_reaches_the_others_and_not_its_author"),
    ("peers", "who_is_away_gets_only_what_is_kept_for_them"),
    ("presence", "a_subscription_tells_the_states_and_their_changes"),
    ("attributes", "members_are_told_of_a_channel_s_attributes_when_asked_for"),
    ("invitations", "a_call_is_accepted"),
    ("media", "a_file_goes_up_and_comes_down"),
]
REFUSALS = ("media", "what_is_no_file_or_nobody_s_is_refused")
FLAVOURED = [case for case in ALL if case[0] in {"client", "channels", "presence"} or case == REFUSALS]


def named(cases: list[tuple[str, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("file", "scenario"), cases, ids=["-".join(case) for case in cases])


@named(ALL)
def test_in_a_page(stage: Stage, file: str, scenario: str) -> None:
    stage.play(file, scenario)


@named(FLAVOURED)
def test_as_anyrtc_s(stage: Stage, file: str, scenario: str) -> None:
    stage.play(file, scenario, flavour="anyrtc")


@named(TELLING)
@pytest.mark.parametrize("flavour", ["agora", "anyrtc"])
def test_from_the_classic_script(stage: Stage, file: str, scenario: str, flavour: str) -> None:
    if not (settings.BASE_DIR / BUNDLE.removeprefix("/")).exists():
        pytest.skip("the bundle is not built")
    stage.play(file, scenario, entry=BUNDLE, flavour=flavour)


@named(TELLING)
def test_in_a_worker(stage: Stage, file: str, scenario: str) -> None:
    stage.play(file, scenario, how=PLAY_IN_WORKER)


@named(TELLING)
def test_in_node_with_a_socket_that_is_given(shared_server: ServerProcess, file: str, scenario: str) -> None:
    """The process ends by itself: nothing of the SDK keeps it alive after the logout."""
    casting = {
        "entry": str(settings.BASE_DIR / MODULES.removeprefix("/")),
        "flavour": "agora",
        "file": file,
        "scenario": scenario,
        "server": shared_server.url,
        "app": DEMO_APP_ID,
        "codes": contract_codes("agora"),
    }
    done = subprocess.run(
        ["node", JS / "node.js", json.dumps(casting)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


# What Chromium has and Firefox and Safari have not, or not all of them: reading one of these is written down.
CHROMIUM_S_OWN = {
    "window": ["chrome", "scheduler", "navigation", "launchQueue", "trustedTypes", "WebSocketStream", "EyeDropper"],
    "navigator": ["connection", "deviceMemory", "userAgentData", "keyboard", "scheduling", "virtualKeyboard", "locks"],
    "performance": ["memory"],
    "Error": ["captureStackTrace", "stackTraceLimit"],
}
TRAPS = """(own) => {
    globalThis.trapped = [];
    for (const [owner, names] of Object.entries(own)) {
        for (const name of names) {
            const object = globalThis[owner];
            const get = () => { globalThis.trapped.push(`${owner}.${name}`); return undefined; };
            Object.defineProperty(object, name, { get, set() {}, configurable: true });
        }
    }
}"""


def test_nothing_that_only_chromium_has_is_used(chromium: Browser, shared_server: ServerProcess) -> None:
    context = chromium.new_context()
    serve_scenarios(context)
    stage = Stage(context, shared_server, DEMO_APP_ID)
    stage.page.evaluate(TRAPS, CHROMIUM_S_OWN)
    for file, scenario in TELLING:
        stage.play(file, scenario)
    assert stage.page.evaluate("globalThis.trapped") == []
    context.close()


@pytest.mark.parametrize("scenario", scenarios(SETTLED))
def test_when_the_server_is_settled(stage: Stage, scenario: str) -> None:
    stage.play(SETTLED, scenario)
