"""Settings, all from environment variables; `.env.example` lists them with their defaults.

Two shapes run from this one file. Embedded, the default: SQLite, presence in memory, one process. Cluster: a
PostgreSQL `DATABASE_URL` and a `REDIS_URL`, any number of processes.
"""

from pathlib import Path
from typing import Any

import environ

from config.endpoints import parse_endpoints
from config.secret_key import kept_secret_key

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
if (BASE_DIR / ".env").exists():
    environ.Env.read_env(BASE_DIR / ".env")  # what is set in the process's environment wins

# Data that the service writes: the database, the secret key, collected static files.
DATA_DIR = Path(env.str("ROSTRUM_DATA", default="") or BASE_DIR / "var").resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True)

DEBUG: bool = env.bool("DEBUG", default=False)
SECRET_KEY: str = env.str("SECRET_KEY", default="") or kept_secret_key(DATA_DIR / "secret_key")

# Where `manage.py serve` listens, and on which server (uvicorn or daphne).
HOST: str = env.str("HOST", default="127.0.0.1")
PORT: int = env.int("PORT", default=8000)
SERVER: str = env.str("SERVER", default="uvicorn")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "ninja",  # its pages' scripts and styles, so that they come from here
    "projects",
    "realtime",
    "messaging",
    "peers",
    "rooms",
    "invitations",
    "activity",
    "classroom",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "config.static.StaticFilesMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


# Database


def database() -> dict[str, Any]:
    """The one database, with what each kind needs to be durable and never "locked"."""
    url = env.str("DATABASE_URL", default="") or f"sqlite:///{DATA_DIR / 'rostrum.sqlite3'}"
    config: dict[str, Any] = environ.Env.db_url_config(url)
    config["CONN_MAX_AGE"] = None  # a connection per thread, kept; the threads are few
    options = config.setdefault("OPTIONS", {})
    if config["ENGINE"].endswith("sqlite3"):
        options["transaction_mode"] = "IMMEDIATE"  # a read that turns into a write cannot be refused half-way
        options["timeout"] = 20  # seconds
        # FULL: a commit is on the disk before it is acknowledged. A log of up to 20,000 pages (80 MB): short
        # checkpoints in the middle of a burst are what makes the slowest commits slow.
        options["init_command"] = (
            "PRAGMA journal_mode=WAL;"
            "PRAGMA synchronous=FULL;"
            "PRAGMA cache_size=-20000;"  # KiB
            "PRAGMA wal_autocheckpoint=20000;"
        )
    else:
        # A process that hangs in a transaction holds stream heads: the server ends it after two seconds.
        # Nobody waits for a lock longer than a client waits for its answer.
        options["options"] = "-c idle_in_transaction_session_timeout=2000 -c lock_timeout=5000"
    return config


DATABASES = {"default": database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


# Clients

# The servers that a client may choose from, by area; empty: this one serves everybody.
RTM_ENDPOINTS: list[tuple[str, str]] = parse_endpoints(env.str("RTM_ENDPOINTS", default=""))


# Between processes

REDIS_URL: str = env.str("REDIS_URL", default="")

# The layer carries hints only (docs/architecture.md): pub/sub, which drops nothing at a fixed capacity and
# subscribes again by itself after Redis was away.
CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [{"address": REDIS_URL, "max_connections": 64}], "prefix": "rostrum"},
    }
    if REDIS_URL
    else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
}


# Security. One switch says that people come by HTTPS; it is off only where DEBUG is on or it is said so.

HTTPS: bool = env.bool("HTTPS", default=not DEBUG)
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SECURE_SSL_REDIRECT: bool = env.bool("SECURE_SSL_REDIRECT", default=HTTPS)
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
# Strict transport security outlives a mistake in every browser that has seen it: an hour, unless told.
SECURE_HSTS_SECONDS: int = env.int("SECURE_HSTS_SECONDS", default=3600 if HTTPS else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS: bool = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD: bool = env.bool("SECURE_HSTS_PRELOAD", default=False)
# Only behind a proxy that sets or strips this header itself.
TRUST_PROXY: bool = env.bool("TRUST_PROXY", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUST_PROXY else None

# With DEBUG on, a page with the settings on it comes to whoever finds an error.
DEFAULT_EXCEPTION_REPORTER_FILTER = "config.redaction.RedactingFilter"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]


# Webhooks

# Whether deliveries may go to private, loopback and link-local addresses: where a project's servers are in the
# same network as this one, and whoever may set a webhook may reach it.
WEBHOOK_ALLOW_PRIVATE: bool = env.bool("WEBHOOK_ALLOW_PRIVATE", default=DEBUG)


# Languages and time

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"


# Static files: straight from static/ while DEBUG is on, else what `manage.py collectstatic` gathered.

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_MIMETYPES = {".ts": "text/plain", ".map": "application/json"}  # TypeScript, no video


# Files and images that users send: on the local disk, or in a bucket (docs/media.md).

S3_BUCKET: str = env.str("S3_BUCKET", default="")
S3_ENDPOINT: str = env.str("S3_ENDPOINT", default="")
S3_REGION: str = env.str("S3_REGION", default="")
S3_ACCESS_KEY: str = env.str("S3_ACCESS_KEY", default="")
S3_SECRET_KEY: str = env.str("S3_SECRET_KEY", default="")
S3_PREFIX: str = env.str("S3_PREFIX", default="")
S3_PATH_STYLE: bool = env.bool("S3_PATH_STYLE", default=False)


def media_storage() -> dict[str, Any]:
    if not S3_BUCKET:
        return {
            "BACKEND": "messaging.media.local.LocalMediaStorage",
            "OPTIONS": {"location": DATA_DIR / "media"},
        }
    return {
        "BACKEND": "messaging.media.s3.S3MediaStorage",
        "OPTIONS": {
            "bucket_name": S3_BUCKET,
            "endpoint_url": S3_ENDPOINT or None,
            "region_name": S3_REGION or None,
            "access_key": S3_ACCESS_KEY or None,
            "secret_key": S3_SECRET_KEY or None,
            "location": S3_PREFIX,
            "path_style": S3_PATH_STYLE,
        },
    }


STORAGES: dict[str, dict[str, Any]] = {
    "media": media_storage(),
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage" if DEBUG else "config.static.ManifestStorage"
    },
}


# Logs: plain lines on stderr, for whatever collects them.

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
    # Django's own handlers (a mail to the admins, a console for DEBUG only) would say things twice.
    "loggers": {"django": {"handlers": [], "propagate": True}},
}
