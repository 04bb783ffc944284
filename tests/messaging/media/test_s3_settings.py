"""A bucket by environment variables, in each of the ways that docs/media.md names."""

import re
import runpy
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.utils.module_loading import import_string

from messaging.media.s3 import S3MediaStorage
from scripts.ceph import DOMAIN, PrivateCeph
from scripts.services import free_port
from tests.support.media import fetch, upload
from tests.support.s3 import S3Server

pytestmark = pytest.mark.shapeless

ROOT = Path(settings.BASE_DIR)
VARIABLES = ("S3_BUCKET", "S3_ENDPOINT", "S3_REGION", "S3_ACCESS_KEY", "S3_SECRET_KEY", "S3_PREFIX", "S3_PATH_STYLE")


def storage_of(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> S3MediaStorage:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    made = runpy.run_path(str(ROOT / "config" / "settings.py"))["STORAGES"]["media"]
    storage: S3MediaStorage = import_string(made["BACKEND"])(**made["OPTIONS"])
    return storage


@pytest.mark.parametrize(
    ("environment", "host", "prefix"),
    [
        ({"S3_PATH_STYLE": "true"}, "127.0.0.1", ""),
        (
            {"S3_PATH_STYLE": "true", "S3_REGION": "eu-west-2", "S3_PREFIX": "rostrum/media"},
            "127.0.0.1",
            "rostrum/media/",
        ),
        ({"S3_PREFIX": "media"}, f"{{bucket}}.{DOMAIN}", "media/"),
    ],
)
async def test_a_bucket_of_the_environment_works(
    s3: S3Server,
    ceph: PrivateCeph,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    host: str,
    prefix: str,
) -> None:
    bucket = s3.new_bucket().bucket_name
    address = s3.url if "S3_PATH_STYLE" in environment else s3.url.replace("127.0.0.1", DOMAIN)
    keys = {"S3_ACCESS_KEY": s3.keys.access_key, "S3_SECRET_KEY": s3.keys.secret_key}
    storage = storage_of(monkeypatch, {"S3_BUCKET": bucket, "S3_ENDPOINT": address, **keys, **environment})
    lead_to_this_machine(monkeypatch)
    form = storage.upload_form("uploads/1/a/file", size=7, lives_s=60)
    assert urlsplit(form.url).hostname == host.format(bucket=bucket)
    assert await upload(form, b"content") == 204
    storage.copy("uploads/1/a/file", "1/a/checked")
    storage.delete("uploads/1/a/file")
    assert [found.key for found in storage.bucket.objects.all()] == [f"{prefix}1/a/checked"]
    assert b"".join(storage.read("1/a/checked")) == b"content"
    address = storage.download_url("1/a/checked", content_type="image/png", disposition="inline", lives_s=60)
    assert urlsplit(address).hostname == host.format(bucket=bucket)
    assert (await fetch(address)).body == b"content"
    storage.delete_folder("1/a")
    assert list(storage.bucket.objects.all()) == []


def lead_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host names of buckets, which no name server knows."""
    resolve = socket.getaddrinfo

    def lookup(host: Any, *args: Any, **kwargs: Any) -> Any:
        return resolve("127.0.0.1" if str(host).endswith(DOMAIN) else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)


def test_keys_are_found_as_amazons_tools_find_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "found")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "found-too")
    storage = storage_of(monkeypatch, {"S3_BUCKET": "bucket", "S3_ENDPOINT": f"http://127.0.0.1:{free_port()}"})
    form = storage.upload_form("1/a/file", size=7, lives_s=60)
    assert form.fields["x-amz-credential"].startswith("found/")
    assert "/us-east-1/" in form.fields["x-amz-credential"]


def test_the_document_has_every_variable() -> None:
    document = (ROOT / "docs" / "media.md").read_text()
    assert set(re.findall(r"^\| `(S3_\w+)` \|", document, re.MULTILINE)) == set(VARIABLES)
    example = (ROOT / ".env.example").read_text()
    assert set(re.findall(r"^#(S3_\w+)=", example, re.MULTILINE)) == set(VARIABLES)
