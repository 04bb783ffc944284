from django.apps import AppConfig


class InvitationsConfig(AppConfig):
    name = "invitations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from invitations import methods  # noqa: F401  (declares its methods)
        from invitations.deadlines import Deadlines
        from invitations.selectors import count_ended
        from invitations.services import purge_invitations
        from messaging.retention import Kept, add_kept
        from realtime.runtime import add_part

        add_part(Deadlines)
        add_kept(Kept(count_ended, purge_invitations))
