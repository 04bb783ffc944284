from django.apps import AppConfig


class RoomsConfig(AppConfig):
    name = "rooms"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from messaging.media.policy import add_lives, add_readable_streams
        from realtime.runtime import add_part
        from rooms import methods  # noqa: F401  (declares its methods)
        from rooms.cleanup import Cleanup
        from rooms.notices import Notices
        from rooms.policy import readable_rooms
        from rooms.selectors import media_lives

        add_part(Notices)
        add_part(Cleanup)
        add_readable_streams(readable_rooms)
        add_lives(media_lives)
