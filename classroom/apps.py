from django.apps import AppConfig


class ClassroomConfig(AppConfig):
    """The pages as people see them."""

    name = "classroom"
