from django.apps import AppConfig


class MessagingConfig(AppConfig):
    name = "messaging"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from messaging import methods  # noqa: F401  (declares its methods)
        from messaging.engine import Messaging, publish_committed
        from messaging.media import configuration  # noqa: F401  (checks the settings)
        from messaging.media import methods as media_methods  # noqa: F401  (declares its methods)
        from messaging.media.http import upload_bound
        from messaging.media.transfers import MediaTransfers
        from messaging.past import PastReads
        from messaging.services import on_committed
        from messaging.store import DatabaseStreamStore
        from realtime.runtime import add_part, set_stream_store
        from realtime.server.bodies import add_body_rule

        set_stream_store(lambda runtime: DatabaseStreamStore(runtime.bridge, runtime.clock_ms))
        add_part(Messaging)
        add_part(PastReads)
        add_part(MediaTransfers)
        add_body_rule(upload_bound)
        on_committed(publish_committed)
