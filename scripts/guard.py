"""Ends processes of ours when we have been killed, and could not."""

import subprocess
from pathlib import Path
from typing import Self

# Told process ids on its standard input, the last one counts. When that closes without the guard being killed first,
# its owner has died: it stops the process, by force after 10 s, and removes the folder $1, if there is one.
GUARD = """
while read -r line; do pid=$line; done
kill -INT "$pid" || exit
for i in $(seq 100); do kill -0 "$pid" || break; sleep 0.1; done
kill -KILL "$pid"
[ -z "$1" ] || rm -rf -- "$1"
"""


class Guard:
    """A small process of its own that watches over this one, in a session of its own: no Ctrl-C reaches it."""

    def __init__(self, directory: Path | None = None) -> None:
        """`directory`: to be removed after the process that is watched has ended."""
        self._process = subprocess.Popen(
            ["sh", "-c", GUARD, "guard", str(directory or "")],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, pid: int) -> None:
        """From now on this process ends with us, and no longer the one before."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"%d\n" % pid)
        self._process.stdin.flush()

    def dismiss(self) -> None:
        """We have ended the process ourselves."""
        assert self._process.stdin is not None
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.dismiss()
