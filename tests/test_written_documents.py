"""What the documents name exists: links, commands, files, rules, sections."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands, load_command_class

pytestmark = pytest.mark.shapeless

ROOT = Path(settings.BASE_DIR)
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "benchmarks" / "README.md"])
TESTS = ROOT / "tests"
SOURCES = (
    "projects",
    "realtime",
    "messaging",
    "peers",
    "rooms",
    "invitations",
    "activity",
    "classroom",
    "config",
    "scripts",
    "tests",
)

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def code(document: Path) -> str:
    """What stands in code: blocks, by fence or by indent, and spans."""
    text = document.read_text()
    blocks = re.findall(r"^```.*?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    blocks += re.findall(r"^    .+$", rest, re.MULTILINE)
    return "\n".join(blocks + re.findall(r"`([^`\n]+)`", rest))


@cache
def anchors(document: Path) -> frozenset[str]:
    """Of a document's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)


@each_document
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (document.parent / path).resolve() if path else document
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def commands(pattern: str) -> Iterator[tuple[str, ...]]:
    for document in DOCUMENTS:
        yield from re.findall(pattern, code(document))


def test_make_targets_work() -> None:
    targets = {target for target, _ in commands(r"\bmake ([a-z][a-z-]*)()")}
    assert {"run", "test"} <= targets
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    subprocess.run(["make", "-n", "-s", *sorted(targets)], cwd=ROOT, env=env, check=True, capture_output=True)


def test_management_commands_and_their_options_exist() -> None:
    named = set(commands(r"manage\.py ([a-z_]+)((?: +\S+)*)"))
    assert {"serve", "generate_docs"} <= {name for name, _ in named}
    known = get_commands()
    for name, arguments in named:
        assert name in known, name
        app = known[name]
        command = load_command_class(app, name) if isinstance(app, str) else app
        options = command.create_parser("manage.py", name)._option_string_actions
        for option in re.findall(r"--[a-z-]+", arguments.partition("#")[0]):
            assert option in options, f"{name} {option}"


def test_scripts_and_their_options_exist() -> None:
    named = set(commands(r"bin/python (\S+\.py)((?: +\S+)*)"))
    for script, arguments in sorted(named):
        if script == "manage.py":
            continue
        said = subprocess.run(
            [sys.executable, script, "--help"], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout
        for option in re.findall(r"--[a-z-]+", arguments.partition("#")[0]):
            assert option in said, f"{script} {option}"
    for module, _ in set(commands(r"python3? -m (\S+)()")):
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").exists(), module


@each_document
def test_files_exist(document: Path) -> None:
    """A path in code, from the project's folder; with `: name` after it, that is in it."""
    folders = "|".join(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("."))
    for path, name in re.findall(rf"(?<![\w/.-])((?:{folders})/[\w/.-]*\w/?)(?:: (\w+))?", code(document)):
        if path.startswith("var/"):
            continue
        assert (ROOT / path).exists(), path
        if name and path.endswith(".py"):
            assert re.search(rf"\b{name}\b", (ROOT / path).read_text()), f"{path}: {name}"


def bears(name: str, rule: str) -> bool:
    return name == rule or name.startswith(f"{rule}_")


def test_every_rule_of_the_architecture_has_its_tests() -> None:
    written = set(re.findall(r"`(test_rule_\w+?)_?\*?`", (ROOT / "docs" / "architecture.md").read_text()))
    proved = {
        name for path in TESTS.rglob("test_*.py") for name in re.findall(r"def (test_rule_\w+)", path.read_text())
    }
    assert written
    assert {rule for rule in written if not any(bears(name, rule) for name in proved)} == set(), "not proved"
    assert {name for name in proved if not any(bears(name, rule) for rule in written)} == set(), "not written"


def test_every_attack_that_is_written_down_has_its_test() -> None:
    named = set(re.findall(r"\b(test_\w+)(?!\.py)\b", code(ROOT / "docs" / "security.md")))
    tests = {name for path in TESTS.rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())}
    files = {path.stem for path in TESTS.rglob("test_*.py")}
    assert named - files
    assert named - files - tests == set()


def test_sections_of_the_contract_that_the_code_cites_exist() -> None:
    headings = re.findall(r"^## (\d+)\. ", (ROOT / "docs" / "contract.md").read_text(), re.MULTILINE)
    assert headings == [str(number) for number in range(1, 14)]
    for folder in SOURCES:
        for path in (ROOT / folder).rglob("*.py"):
            for cited in re.findall(r"contract\.md ((?:\d+(?:, | and )?)+)", path.read_text()):
                assert set(re.findall(r"\d+", cited)) <= set(headings), f"{path}: {cited}"
