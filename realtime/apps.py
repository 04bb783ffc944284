from django.apps import AppConfig


class RealtimeConfig(AppConfig):
    name = "realtime"

    def ready(self) -> None:
        from projects.services import on_removal
        from realtime import methods  # noqa: F401  (declares its methods)
        from realtime.rest.state import Rest
        from realtime.runtime import add_part, removals_changed

        add_part(Rest)
        on_removal(removals_changed)
