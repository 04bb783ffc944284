from django.apps import AppConfig


class RealtimeConfig(AppConfig):
    name = "realtime"

    def ready(self) -> None:
        from projects.services import on_removal
        from realtime import methods  # noqa: F401  (declares its methods)
        from realtime.runtime import removals_changed

        on_removal(removals_changed)
