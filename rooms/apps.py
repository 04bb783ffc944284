from django.apps import AppConfig


class RoomsConfig(AppConfig):
    name = "rooms"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from realtime.runtime import add_part
        from rooms import methods  # noqa: F401  (declares its methods)
        from rooms.cleanup import Cleanup
        from rooms.notices import Notices

        add_part(Notices)
        add_part(Cleanup)
