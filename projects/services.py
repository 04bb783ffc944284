import secrets

from projects.models import Project


def create_project(*, name: str, app_id: str = "", certificate_enabled: bool = False) -> Project:
    """Makes a project with a certificate of its own. `app_id`: one that clients have already, else a new one.

    Raises ValidationError for a name or App ID that cannot be, or that is taken.
    """
    project = Project(name=name, certificate=secrets.token_hex(16), certificate_enabled=certificate_enabled)
    if app_id:
        project.app_id = app_id
    project.full_clean()
    project.save(force_insert=True)
    return project
