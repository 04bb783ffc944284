from django.apps import AppConfig


class PeersConfig(AppConfig):
    name = "peers"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from peers import methods  # noqa: F401  (declares its methods)
        from peers.cleanup import Cleanup
        from peers.delivery import PeerMessages
        from peers.watches import Watches
        from realtime.runtime import add_part

        add_part(PeerMessages)
        add_part(Watches)
        add_part(Cleanup)
