"""What attackers try with forms and addresses of a bucket, at a server that looks at them (docs/security.md).

moto's server takes whatever it is sent: with it these are skipped.
"""

import base64
import io
import json
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import quote

import botocore.auth
import pytest
from botocore.compat import get_current_datetime

from messaging.media.s3 import S3MediaStorage
from messaging.media.storage import UploadForm
from scripts.ceph import Keys, PrivateCeph
from tests.support.client import Client
from tests.support.media import fetch, form_body, picture, refusal, send, started, upload
from tests.support.s3 import PREFIX, S3Server, s3_at

pytestmark = [pytest.mark.shapeless, pytest.mark.usefixtures("ceph")]

KEY = "uploads/1/a/file"
FILE = "1/a/checked"
Change = Callable[[dict[str, str]], dict[str, str]]


@pytest.fixture(scope="module")
def strangers(ceph: PrivateCeph) -> list[Keys]:
    """Those of another user of the same server, and some that it does not know."""
    return [ceph.create_user("stranger"), Keys("unknown", "unknown")]


def form_of(storage: S3MediaStorage, lives_s: int = 60) -> UploadForm:
    """For 7 bytes."""
    return storage.upload_form(KEY, size=7, lives_s=lives_s)


def stored(storage: S3MediaStorage) -> list[str]:
    """What is in the bucket, by key."""
    return [found.key for found in storage.bucket.objects.all()]


def other_policy(fields: dict[str, str]) -> dict[str, str]:
    """One that allows a hundred times as much, under the signature of the one that was given."""
    policy = json.loads(base64.b64decode(fields["policy"]))
    policy["conditions"] = [
        ["content-length-range", 0, 700] if isinstance(condition, list) else condition
        for condition in policy["conditions"]
    ]
    return {**fields, "policy": base64.b64encode(json.dumps(policy).encode()).decode()}


def without(name: str) -> Change:
    return lambda fields: {key: value for key, value in fields.items() if key != name}


CHANGED_FORMS: dict[str, Change] = {
    "another key": lambda fields: {**fields, "key": f"{PREFIX}/1/a/checked"},
    "a key that leads out of the prefix": lambda fields: {**fields, "key": f"{PREFIX}/../file"},
    "a key that the file's name decides on": lambda fields: {**fields, "key": f"{PREFIX}/uploads/1/a/${{filename}}"},
    "a page": lambda fields: {**fields, "Content-Type": "text/html"},
    "no type": without("Content-Type"),
    "for everybody to read": lambda fields: {**fields, "acl": "public-read"},
    "a header of its own": lambda fields: {**fields, "x-amz-meta-own": "value"},
    "an answer that leads elsewhere": lambda fields: {**fields, "success_action_redirect": "https://evil.example/"},
    "another policy": other_policy,
    "another signature": lambda fields: {**fields, "x-amz-signature": "0" * 64},
    "no signature": without("x-amz-signature"),
    "no policy": without("policy"),
    "nothing but the key": lambda fields: {"key": fields["key"]},
    "another day": lambda fields: {**fields, "x-amz-date": "20010101T000000Z"},
    "somebody else's name": lambda fields: {
        **fields,
        "x-amz-credential": "somebody/" + fields["x-amz-credential"].partition("/")[2],
    },
}


async def test_a_changed_form_is_refused(s3_storage: S3MediaStorage) -> None:
    form = form_of(s3_storage)
    for what, change in CHANGED_FORMS.items():
        assert await upload(UploadForm(form.url, change(form.fields)), b"content") in (400, 403), what
    assert stored(s3_storage) == []
    assert await upload(form, b"content") == 204


async def test_a_form_takes_what_was_declared_and_no_byte_more_or_less(s3_storage: S3MediaStorage) -> None:
    for length in (0, 6, 8, 1_000_000):
        assert await upload(form_of(s3_storage), b"x" * length) == 400
    assert stored(s3_storage) == []


async def test_a_form_that_has_expired_is_refused(s3_storage: S3MediaStorage) -> None:
    assert await upload(form_of(s3_storage, lives_s=-1), b"content") == 403
    assert stored(s3_storage) == []


async def test_a_form_is_for_its_own_bucket(s3: S3Server, s3_storage: S3MediaStorage) -> None:
    other = s3.new_bucket()
    assert await upload(UploadForm(form_of(other).url, form_of(s3_storage).fields), b"content") == 403
    assert stored(other) == []


async def test_a_form_of_somebody_else_is_refused(
    s3: S3Server, s3_storage: S3MediaStorage, strangers: list[Keys]
) -> None:
    for keys in strangers:
        foreign = s3_at(s3.url, s3_storage.bucket_name, keys)
        assert await upload(form_of(foreign), b"content") == 403
    assert stored(s3_storage) == []


# Addresses


def put(storage: S3MediaStorage, disposition: str = "attachment", lives_s: int = 60) -> str:
    """A file that is there, and its address."""
    storage.put(FILE, io.BytesIO(b"content"))
    return storage.download_url(FILE, content_type="image/png", disposition=disposition, lives_s=lives_s)


CHANGED_ADDRESSES: dict[str, Callable[[str], str]] = {
    "another file": lambda url: url.replace("/checked?", "/other?"),
    "shown as a page": lambda url: url.replace(quote("image/png", safe=""), quote("text/html", safe="")),
    "shown in its place": lambda url: url.replace("=attachment", "=inline"),
    "for longer": lambda url: url.replace("X-Amz-Expires=60", "X-Amz-Expires=600"),
    "with another signature": lambda url: url[:-1] + ("0" if url[-1] != "0" else "1"),
    "with another header": lambda url: f"{url}&response-cache-control=public",
    "what else is known of it": lambda url: url.replace("?", "?acl&", 1),
    "without anything": lambda url: url.partition("?")[0],
    "all that is there": lambda url: url.partition("/some/")[0],
}


async def test_a_changed_address_of_the_bucket_is_refused(s3_storage: S3MediaStorage) -> None:
    address = put(s3_storage)
    s3_storage.put("1/a/other", io.BytesIO(b"secret"))
    for what, change in CHANGED_ADDRESSES.items():
        assert change(address) != address, what
        assert (await fetch(change(address))).status == 403, what
    assert (await fetch(address)).body == b"content"


async def test_an_address_is_for_reading(s3_storage: S3MediaStorage) -> None:
    address = put(s3_storage)
    for method in ("PUT", "POST", "DELETE"):
        assert (await send(method, address, raw=b"another")).status in (403, 405)
    assert (await fetch(address)).body == b"content"


async def test_an_address_that_has_expired_is_refused(
    s3_storage: S3MediaStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for ago_s, status in ((50, 200), (61, 403)):
        with monkeypatch.context() as then:
            signed_at = get_current_datetime() - timedelta(seconds=ago_s)
            then.setattr(botocore.auth, "get_current_datetime", lambda signed_at=signed_at: signed_at)
            address = put(s3_storage)
        assert (await fetch(address)).status == status


async def test_an_address_of_somebody_else_is_refused(
    s3: S3Server, s3_storage: S3MediaStorage, strangers: list[Keys]
) -> None:
    put(s3_storage)
    for keys in strangers:
        foreign = s3_at(s3.url, s3_storage.bucket_name, keys)
        address = foreign.download_url(FILE, content_type="image/png", disposition="inline", lives_s=60)
        assert (await fetch(address)).status == 403


# What a form can do besides


async def test_what_the_form_says_of_the_type_is_not_kept(s3_storage: S3MediaStorage) -> None:
    """In the bucket everything is bytes without a type: an address says what they are, and it is signed."""
    assert await upload(form_of(s3_storage), b"content") == 204
    s3_storage.copy(KEY, FILE)
    s3_storage.put(f"{FILE}-thumbnail", io.BytesIO(picture("JPEG")))
    types = {found.key: found.Object().content_type for found in s3_storage.bucket.objects.all()}
    assert types == {f"{PREFIX}/{name}": "application/octet-stream" for name in (KEY, FILE, f"{FILE}-thumbnail")}


async def test_an_old_form_changes_nothing_that_was_checked(s3_storage: S3MediaStorage, ann: Client) -> None:
    """Neither by its own key nor by that of the copy, if somebody knew it."""
    begun = await started(ann, b"harmless")
    form = UploadForm(begun["url"], begun["fields"])
    assert await upload(form, b"harmless") == 204
    await ann.call("media.finish", media=begun["media"])
    (checked,) = stored(s3_storage)
    assert await upload(form, b"<script>") == 204
    assert await upload(UploadForm(form.url, {**form.fields, "key": checked}), b"<script>") == 403
    assert (await fetch((await ann.call("media.url", media=begun["media"]))["url"])).body == b"harmless"


async def test_a_form_that_was_given_up_leads_to_nothing(s3_storage: S3MediaStorage, ann: Client) -> None:
    begun = await started(ann, b"content")
    form = UploadForm(begun["url"], begun["fields"])
    assert await upload(form, b"content") == 204
    await ann.call("media.abandon", media=begun["media"])
    assert stored(s3_storage) == []
    assert await upload(form, b"content") == 204
    assert await refusal(ann.call("media.finish", media=begun["media"])) == ("media_refused", "abandoned")


async def test_nobody_without_a_signature_reads_lists_or_writes(s3_storage: S3MediaStorage) -> None:
    address = put(s3_storage).partition("?")[0]
    bucket = address.partition("/some/")[0]
    content_type, body = form_body(b"content", {"key": f"{PREFIX}/open"})
    assert (await send("POST", bucket, raw=body, headers={"content-type": content_type})).status == 403
    for method, where in (("GET", address), ("GET", bucket), ("PUT", address), ("DELETE", address), ("DELETE", bucket)):
        assert (await send(method, where, raw=b"another" if method == "PUT" else b"")).status == 403
    assert stored(s3_storage) == [f"{PREFIX}/{FILE}"]
