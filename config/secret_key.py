"""A secret key of this installation's own, for those who give none in the environment."""

import os
import secrets
import tempfile
from pathlib import Path


def kept_secret_key(path: Path) -> str:
    """The key in the file `path` (mode 0600), made at the first call.

    Processes that start together agree on one key: the file appears whole, and only the first link wins.
    """
    if not path.exists():
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".secret_key-")  # 0600 from the start
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(64))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            os.unlink(draft)
    return path.read_text().strip()
