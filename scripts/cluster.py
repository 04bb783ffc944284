"""The cluster shape on one machine: PostgreSQL, Redis and two server processes behind one port.

    python -m scripts.cluster

Data stays in var/cluster. Ctrl-C (or SIGTERM) stops the servers, which finish their commits, then PostgreSQL
and Redis. They all end as well when this script is killed.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from scripts.guard import Guard
from scripts.services import PrivatePostgres, PrivateRedis

ROOT = Path(__file__).resolve().parent.parent
WORKERS = 2


def data_directory() -> Path | None:
    """var/cluster, or None (a temporary folder) where root runs this in a place out of reach of the user that
    PostgreSQL then runs as."""
    data = Path(os.environ.get("ROSTRUM_DATA") or ROOT / "var").resolve()
    directory = data / "cluster"
    directory.mkdir(parents=True, exist_ok=True)
    if PrivatePostgres.user is None:
        return directory
    reach = subprocess.run(["test", "-x", directory], user=PrivatePostgres.user, extra_groups=[], check=False)
    if reach.returncode == 0:
        return directory
    print(f"{PrivatePostgres.user} cannot reach {directory}: this cluster's data ends with it.", flush=True)
    return None


def serve(env: dict[str, str]) -> int:
    """Migrates, makes the demo project, and serves until told to stop; the exit status of what ended it."""
    for command in (["migrate", "--no-input", "-v", "0"], ["demo"]):
        if status := subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=env).returncode:
            return status
    # Ctrl-C reaches the server by itself: it is in the same foreground group. Here it must not end the wait.
    signal.signal(signal.SIGINT, lambda *_: None)
    with Guard() as guard:
        server = subprocess.Popen([sys.executable, "manage.py", "serve", "--workers", str(WORKERS)], cwd=ROOT, env=env)
        guard.watch(server.pid)
        signal.signal(signal.SIGTERM, lambda *_: server.terminate())
        return server.wait()


def main() -> int:
    directory = data_directory()
    postgres = PrivatePostgres(directory and directory / "postgresql")
    with postgres, PrivateRedis() as redis:
        print(f"PostgreSQL on port {postgres.port}, Redis on port {redis.port}", flush=True)
        return serve({**os.environ, "DATABASE_URL": postgres.url, "REDIS_URL": redis.url})


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # before there was a server to stop
        sys.exit(130)
