"""The commands and files of docs/media.md, as they stand there, set a bucket up that does what is said of it."""

import io
import json
import re
import shlex
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from django.conf import settings

from messaging.media.s3 import S3MediaStorage
from scripts.ceph import PrivateCeph
from tests.support.media import fetch, form_body, send, upload
from tests.support.s3 import S3Server, s3_at

pytestmark = pytest.mark.shapeless

DOCUMENT = (Path(settings.BASE_DIR) / "docs" / "media.md").read_text()
BUCKET = "rostrum-media"
PAGES = "https://class.example"


def written(name: str) -> Any:
    """The file of that name."""
    found = re.search(rf"`{re.escape(name)}`:\n\n```json\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found, name
    return json.loads(found[1])


def commands() -> list[tuple[str, str, dict[str, Any]]]:
    """Service, operation and parameters. Amazon's command line is made of the same descriptions that botocore has, by
    the same rule; one that is not in them fails here."""
    session = botocore.session.get_session()
    found = []
    for line in re.findall(r"^aws .*$", DOCUMENT, re.MULTILINE):
        _, service, command, *options = shlex.split(line)
        model = session.get_service_model({"s3api": "s3"}.get(service, service))
        (operation,) = (name for name in model.operation_names if xform_name(name, "-") == command)
        members = {xform_name(name, "-"): name for name in model.operation_model(operation).input_shape.members}
        values = [
            json.dumps(written(value.removeprefix("file://"))) if value.startswith("file://") else value
            for value in options[1::2]
        ]
        params = {members[name.removeprefix("--")]: value for name, value in zip(options[::2], values, strict=True)}
        found.append((service, operation, params))
    return found


@pytest.fixture(scope="module")
def bucket(s3: S3Server, ceph: PrivateCeph) -> S3MediaStorage:
    """The one that the commands have set up, without a prefix as there, for whoever owns it."""
    storage = s3_at(s3.url, BUCKET, s3.keys, prefix="")
    client = storage.connection.meta.client
    for service, operation, params in commands():
        if service == "s3api":
            given = {name: json.loads(text) if text.startswith("{") else text for name, text in params.items()}
            getattr(client, xform_name(operation))(**given)
    private = written("private.json")
    assert client.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"] == private
    # As the document says, radosgw 16 would refuse every object.
    for_this_server = {**private, "BlockPublicAcls": False}
    client.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=for_this_server)
    return storage


def test_every_command_is_known() -> None:
    assert [(service, operation) for service, operation, _ in commands()] == [
        ("s3api", "CreateBucket"),
        ("s3api", "PutPublicAccessBlock"),
        ("s3api", "PutBucketCors"),
        ("s3api", "PutBucketLifecycleConfiguration"),
        ("iam", "PutUserPolicy"),
    ]


def test_the_bucket_has_taken_what_is_written(bucket: S3MediaStorage) -> None:
    client = bucket.connection.meta.client
    (rule,) = client.get_bucket_cors(Bucket=BUCKET)["CORSRules"]
    (expected,) = written("cors.json")["CORSRules"]
    assert {name: sorted(value) if isinstance(value, list) else value for name, value in rule.items()} == {
        name: sorted(value) if isinstance(value, list) else value for name, value in expected.items()
    }
    assert client.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"] == written("lifecycle.json")["Rules"]


async def test_pages_of_the_origin_send_and_fetch_and_no_others(bucket: S3MediaStorage) -> None:
    form = bucket.upload_form("uploads/1/a/file", size=7, lives_s=60)
    content_type, body = form_body(b"content", form.fields)
    bucket.put("1/a/checked", io.BytesIO(b"content"))
    address = bucket.download_url("1/a/checked", content_type="image/png", disposition="inline", lives_s=60)
    for origin, allowed in ((PAGES, PAGES), ("https://elsewhere.example", None)):
        for method, where, asked in (("POST", form.url, "content-type"), ("GET", address, "range,if-range")):
            preflight = await send(
                "OPTIONS",
                where,
                headers={
                    "origin": origin,
                    "access-control-request-method": method,
                    "access-control-request-headers": asked,
                },
            )
            assert preflight.headers.get("access-control-allow-origin") == allowed
            assert (method in preflight.headers.get("access-control-allow-methods", "")) == (allowed is not None)
        sent = await send("POST", form.url, raw=body, headers={"content-type": content_type, "origin": origin})
        assert (sent.status, sent.headers.get("access-control-allow-origin")) == (204, allowed)
        answer = await fetch(address, origin=origin, range="bytes=0-2")
        assert (answer.status, answer.headers.get("access-control-allow-origin")) == (206, allowed)
        assert ("content-range" in answer.headers.get("access-control-expose-headers", "").lower()) == bool(allowed)


def test_the_bucket_deletes_uploads_that_were_left_and_nothing_else(bucket: S3MediaStorage, ceph: PrivateCeph) -> None:
    for key in ("uploads/1/left/file", "1/kept/checked"):
        bucket.put(key, io.BytesIO(b"content"))
    for _ in range(20):
        ceph.process_lifecycles()
        kept = {found.key for found in bucket.bucket.objects.all()}
        if "uploads/1/left/file" not in kept:
            break
    assert "uploads/1/left/file" not in kept
    assert "1/kept/checked" in kept


async def test_the_rights_are_enough(s3: S3Server, ceph: PrivateCeph) -> None:
    """As a policy of the bucket for one user, which is how radosgw gives rights: in one of the owner's own, as it takes
    any policy for a public one."""
    owner = s3.new_bucket()
    (attached,) = (params["PolicyDocument"] for _, name, params in commands() if name == "PutUserPolicy")
    policy = json.loads(attached.replace(BUCKET, owner.bucket_name))
    for statement in policy["Statement"]:
        statement["Principal"] = {"AWS": ["arn:aws:iam:::user/service"]}
    service = s3_at(s3.url, owner.bucket_name, ceph.create_user("service"))
    form = service.upload_form("uploads/1/b/file", size=7, lives_s=60)
    assert await upload(form, b"content") == 403
    owner.connection.meta.client.put_bucket_policy(Bucket=owner.bucket_name, Policy=json.dumps(policy))
    assert await upload(form, b"content") == 204
    service.copy("uploads/1/b/file", "1/b/checked")
    assert b"".join(service.read("1/b/checked")) == b"content"
    service.put("1/b/thumbnail", io.BytesIO(b"small"))
    address = service.download_url("1/b/thumbnail", content_type="image/png", disposition="inline", lives_s=60)
    assert (await fetch(address)).body == b"small"
    service.delete_folder("1/b")
    with pytest.raises(FileNotFoundError):
        b"".join(service.read("1/b/checked"))
