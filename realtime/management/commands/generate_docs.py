"""`manage.py generate_docs`: the documents that are built from the registry."""

import difflib
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from realtime.documents import build_documents

SHOWN_LINES: Final = 20
"""Of each stale document's difference."""


class Command(BaseCommand):
    """Needs no database. With `--check`, exit status 1 when a document is not what would be written."""

    help = "Writes docs/protocol.md, docs/openrpc.json and docs/limits.md from the registry and the table of limits."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; fail if a document is stale")
        parser.add_argument(
            "--directory", type=Path, default=Path(settings.BASE_DIR) / "docs", help="where they are (docs/)"
        )

    def handle(self, *args: Any, check: bool, directory: Path, **options: Any) -> None:
        stale = []
        for name, text in build_documents().items():
            path = directory / name
            old = path.read_text(encoding="utf-8") if path.exists() else ""
            if old == text:
                continue
            stale.append(name)
            if check:
                self._show_difference(name, old, text)
            else:
                path.write_text(text, encoding="utf-8")
                self.stdout.write(f"wrote {path}")
        if check and stale:
            raise CommandError(f"Stale: {', '.join(stale)}. Run manage.py generate_docs.")

    def _show_difference(self, name: str, old: str, new: str) -> None:
        lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), f"{name} (is)", "(should be)", n=0))
        added = sum(line.startswith("+") for line in lines[2:])
        removed = sum(line.startswith("-") for line in lines[2:])
        self.stdout.write(f"{name}: {added} lines to add, {removed} to remove")
        for line in lines[2 : 2 + SHOWN_LINES]:
            self.stdout.write(f"  {line}")
