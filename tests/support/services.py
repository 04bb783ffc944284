"""Private PostgreSQL and Redis servers for tests, also to restart and to kill."""

from scripts.services import PrivatePostgres, PrivateRedis, PrivateServer, free_port

__all__ = ["PrivatePostgres", "PrivateRedis", "PrivateServer", "free_port"]
