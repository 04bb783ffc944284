"""Tokens for a run of the load generator, signed with the certificate of the project that wants them."""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from typing import Final

from benchmarks.client import unique_run
from projects.tokens import LONGEST_S, issue_007

APP_ID: Final = "fedcba9876543210fedcba9876543210"
CERTIFICATE: Final = "5cfd2fd1755d40ecb72977518be15d3b"


@contextlib.contextmanager
def issued(members: int) -> Iterator[dict[str, str]]:
    """The load generator's options for `members` logins with a token each; their file is gone when the block ends."""
    run, now_s = unique_run(), int(time.time())
    with tempfile.NamedTemporaryFile("w", prefix="rostrum-tokens-") as file:
        for number in range(members):
            uid = f"{run}-u{number}"
            token = issue_007(
                app_id=APP_ID, certificate=CERTIFICATE, uid=uid, issued_s=now_s, valid_s=LONGEST_S, salt=number + 1
            )
            file.write(f"{uid} {token}\n")
        file.flush()
        yield {"app": APP_ID, "run": run, "tokens": file.name}
