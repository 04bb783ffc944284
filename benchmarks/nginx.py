"""What files are measured against: nginx, with one worker, as Debian sets it up."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from typing import Final

from benchmarks.systems import Bench, Running, System
from scripts.services import free_port
from scripts.system import nginx

CONFIGURATION: Final = """
daemon off;
pid nginx.pid;
user root;
worker_processes 1;
error_log stderr;
events {{ worker_connections 768; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000;
    client_max_body_size 100m;
    client_body_temp_path incoming;
    server {{
        listen 127.0.0.1:{port};
        root files;
        dav_methods PUT;
    }}
}}
"""


class Nginx(System):
    """Files from the disk by sendfile, and by WebDAV's PUT to the disk: into a file beside it, then renamed. (Nothing
    is flushed, which Rostrum does before it answers.)"""

    name = "nginx"

    def prepare(self, bench: Bench) -> None:
        pass

    @contextlib.contextmanager
    def start(self, bench: Bench) -> Iterator[Running]:
        program = nginx()
        assert program is not None
        folder = bench.directory / bench.next_name()
        (folder / "files").mkdir(parents=True)
        port = free_port()
        configuration = folder / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(port=port))
        command = [str(program), "-p", str(folder), "-c", str(configuration)]
        try:
            with bench.server(command, {}, port=port) as server:
                yield Running("http", server)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def version() -> dict[str, str]:
    """As far as it is installed."""
    program = nginx()
    if program is None:
        return {}
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr
    return {"nginx": said.strip().rpartition("/")[2]}
