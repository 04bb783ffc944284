from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate, pre_migrate


class RealtimeConfig(AppConfig):
    name = "realtime"

    def ready(self) -> None:
        from projects.services import on_removal
        from realtime import methods  # noqa: F401  (declares its methods)
        from realtime.rest.state import Rest
        from realtime.runtime import add_part, removals_changed

        add_part(Rest)
        on_removal(removals_changed)
        pre_migrate.connect(allow_idle_transactions)
        post_migrate.connect(end_idle_transactions)


def allow_idle_transactions(*, using: str, **_: Any) -> None:
    """For `manage.py migrate`: between two statements it may think longer than a service may (config/settings.py),
    and it holds no stream's head."""
    _execute(using, "SET idle_in_transaction_session_timeout = 0")


def end_idle_transactions(*, using: str, **_: Any) -> None:
    """The connection is as others again."""
    _execute(using, "RESET idle_in_transaction_session_timeout")


def _execute(using: str, statement: str) -> None:
    connection = connections[using]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(statement)
