from datetime import timedelta

from django.apps import AppConfig


class InvitationsConfig(AppConfig):
    name = "invitations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from invitations import methods  # noqa: F401  (declares its methods)
        from invitations.deadlines import Deadlines
        from invitations.retention import ENDED
        from invitations.services import INVITATION_CHANGED, INVITATION_LIFETIME_MS
        from messaging.retention import add_purge
        from messaging.sifting import set_lifetime
        from realtime.runtime import add_part

        set_lifetime(INVITATION_CHANGED, timedelta(milliseconds=INVITATION_LIFETIME_MS))
        add_part(Deadlines)
        add_purge(ENDED)
