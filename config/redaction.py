"""What Django's pages for developers may show: anybody who sends a strange Host header gets one while DEBUG is on."""

import re
from typing import Any, Final

from django.views.debug import SafeExceptionReporterFilter

CREDENTIALS: Final = re.compile(r"(?<=://)[^/\s]*(?=@)")
"""User and password in a URL."""


class RedactingFilter(SafeExceptionReporterFilter):
    """Hides also addresses with passwords in them, wherever a setting has one."""

    hidden_settings = re.compile(
        f"{SafeExceptionReporterFilter.hidden_settings.pattern}|DATABASE_URL|REDIS_URL|CHANNEL_LAYERS", re.IGNORECASE
    )

    def cleanse_setting(self, key: str | int, value: Any) -> Any:
        cleansed = super().cleanse_setting(key, value)
        if isinstance(cleansed, str):
            return CREDENTIALS.sub(self.cleansed_substitute, cleansed)
        return cleansed
