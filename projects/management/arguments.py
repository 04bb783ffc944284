from django.core.management.base import CommandError

from projects.models import Project


def find_project(app_id: str) -> Project:
    """The project with this App ID. Raises CommandError."""
    project = Project.objects.filter(app_id=app_id).first()
    if project is None:
        raise CommandError(f"No project has the App ID {app_id}.")
    return project
