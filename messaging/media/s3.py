"""Media in an S3 bucket: browsers talk to the bucket itself, by addresses that are signed here."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO, Final

from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files import File
from storages.backends.s3 import S3Storage

from messaging.media.storage import CHUNK_BYTES, StorageUnavailable, UploadForm

CONNECT_S: Final = 5.0
ANSWER_S: Final = 20.0
"""So long it may be silent."""
ATTEMPTS: Final = 2
NO_SUCH_KEY: Final = ("NoSuchKey", "404")
UNTYPED: Final = "application/octet-stream"
"""What everything is in the bucket. The type that a browser is told is in the address it gets."""


class S3MediaStorage(S3Storage):  # type: ignore[misc]  # it has no types
    """`path_style`: the bucket is in the path, not in the host name."""

    failures: Final = (OSError, BotoCoreError, ClientError, Boto3Error, StorageUnavailable)

    def __init__(self, *, path_style: bool, **options: Any) -> None:
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if path_style else "virtual"},
            connect_timeout=CONNECT_S,
            read_timeout=ANSWER_S,
            retries={"total_max_attempts": ATTEMPTS},
        )
        super().__init__(client_config=config, file_overwrite=True, default_acl=None, **options)

    @property
    def _client(self) -> Any:
        return self.connection.meta.client

    def _full(self, key: str) -> str:
        return str(self._normalize_name(key))

    def upload_form(self, key: str, *, size: int, lives_s: int, holder: str = "") -> UploadForm:
        form = self._client.generate_presigned_post(
            Bucket=self.bucket_name,
            Key=self._full(key),
            Fields={"Content-Type": UNTYPED},
            Conditions=[{"Content-Type": UNTYPED}, ["content-length-range", size, size]],
            ExpiresIn=lives_s,
        )
        return UploadForm(form["url"], form["fields"])

    def download_url(self, key: str, *, content_type: str, disposition: str, lives_s: int, holder: str = "") -> str:
        headers = {"ResponseContentType": content_type, "ResponseContentDisposition": disposition}
        return str(self.url(key, parameters=headers, expire=lives_s))

    def copy(self, source: str, key: str) -> None:
        try:
            self._client.copy_object(
                Bucket=self.bucket_name,
                Key=self._full(key),
                CopySource={"Bucket": self.bucket_name, "Key": self._full(source)},
            )
        except ClientError as error:
            raise _missing(error, source) from error

    def read(self, key: str) -> Iterator[bytes]:
        try:
            body = self._client.get_object(Bucket=self.bucket_name, Key=self._full(key))["Body"]
        except ClientError as error:
            raise _missing(error, key) from error
        with body:
            yield from body.iter_chunks(CHUNK_BYTES)

    def put(self, key: str, content: BinaryIO) -> None:
        self.save(key, File(content))

    def older_in(self, folder: str, before: datetime) -> Iterator[str]:
        full = f"{self._full(folder)}/"
        for found in self.bucket.objects.filter(Prefix=full):
            if found.last_modified < before:
                yield f"{folder}/{found.key.removeprefix(full)}"

    def delete_folder(self, folder: str) -> None:
        assert folder.strip("/")
        for answer in self.bucket.objects.filter(Prefix=f"{self._full(folder)}/").delete():
            if answer.get("Errors"):
                raise StorageUnavailable(f"not deleted: {answer['Errors'][0].get('Key')}")


def _missing(error: ClientError, key: str) -> Exception:
    return FileNotFoundError(key) if error.response["Error"]["Code"] in NO_SUCH_KEY else error
