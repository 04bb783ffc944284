"""The project that `manage.py demo` makes, so that a fresh installation has something to talk to."""

from typing import Final

DEMO_APP_ID: Final = "0123456789abcdef0123456789abcdef"
DEMO_PROJECT_NAME: Final = "Demo"
DEMO_ROOM: Final = "lobby"
