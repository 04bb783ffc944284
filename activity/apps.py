from django.apps import AppConfig


class ActivityConfig(AppConfig):
    name = "activity"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from activity import methods  # noqa: F401  (declares its methods)
        from activity.client_logs import ClientLogs
        from activity.pump import Pump
        from activity.recorder import Recorder
        from activity.retention import PURGES
        from activity.sender import Sender
        from messaging.retention import add_purge
        from realtime.runtime import add_part

        for purge in PURGES:
            add_purge(purge)
        add_part(Recorder)
        add_part(Pump)
        add_part(Sender)
        add_part(ClientLogs)
