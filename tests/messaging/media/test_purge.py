"""What goes after its time, and what staff deletes: bytes and rows together, and nothing else."""

import io
import os
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import translation

from messaging.media import purge
from messaging.media.local import LocalMediaStorage
from messaging.media.models import Media, MediaKind, MediaState, MediaUse
from messaging.media.selectors import expired_media
from messaging.media.services import CLAIM_LIFE, UPLOAD_LIFE, claim, start
from messaging.media.storage import MediaStorage, StorageUnavailable
from messaging.models import Stream
from projects.limits import Sizes
from projects.models import Project
from realtime.errors import RpcError
from scripts.services import free_port
from tests.support.media import files, use_storage
from tests.support.s3 import s3_at

NOW = datetime(2001, 1, 1, tzinfo=UTC)
"""Long before whatever other tests have left behind."""


@pytest.fixture
def project(make_project: Callable[..., Project]) -> Iterator[Project]:
    project = make_project()
    yield project
    Media.objects.filter(project=project).delete()


def put(storage: MediaStorage, project: Project, state: MediaState, now: datetime = NOW) -> Media:
    """A file of 5 bytes that was begun then, with what comes of it: an upload, a checked copy, a thumbnail."""
    media = start(project_id=project.pk, uid="ann", kind=MediaKind.IMAGE, name="x", size=5, sizes=Sizes(), now=now)
    media.state = state
    media.claim = "checked"
    media.save()
    for key in (media.uploaded_key, media.checked_key, media.thumbnail_key):
        storage.put(key, io.BytesIO(b"bytes"))
    return media


def is_there(storage: MediaStorage, media: Media) -> bool:
    """All of it is, or nothing."""

    def has(key: str) -> bool:
        try:
            return b"".join(storage.read(key)) == b"bytes"
        except FileNotFoundError:
            return False

    (found,) = {has(key) for key in (media.uploaded_key, media.checked_key, media.thumbnail_key)}
    return found


@pytest.mark.parametrize("state", list(MediaState))
def test_what_has_outlived_its_time_is_deleted_once(storage: MediaStorage, project: Project, state: MediaState) -> None:
    gone, kept = put(storage, project, state), put(storage, project, state, NOW + timedelta(minutes=1))
    assert sum(purge.purge_media(storage, expired_media(gone.expires_at - timedelta(seconds=1)))) == 0
    assert sum(purge.purge_media(storage, expired_media(gone.expires_at))) == 1
    assert sum(purge.purge_media(storage, expired_media(gone.expires_at))) == 0
    assert [is_there(storage, media) for media in (gone, kept)] == [False, True]
    assert [media.pk for media in Media.objects.filter(project=project)] == [kept.pk]
    project.refresh_from_db()
    assert project.media_bytes == 5


def test_more_than_a_batch(local_storage: LocalMediaStorage, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge, "BATCH", 2)
    for _ in range(5):
        put(local_storage, project, MediaState.READY)
    assert list(purge.purge_media(local_storage, expired_media(NOW + UPLOAD_LIFE))) == [2, 2, 1]
    assert files(local_storage) == []


def test_a_storage_out_of_reach_keeps_the_rows_for_the_next_time(
    local_storage: LocalMediaStorage, project: Project
) -> None:
    media = put(local_storage, project, MediaState.READY)
    with pytest.raises(StorageUnavailable):
        list(purge.purge_media(s3_at(f"http://127.0.0.1:{free_port()}", "bucket"), expired_media(media.expires_at)))
    assert Media.objects.filter(pk=media.pk).exists()
    assert sum(purge.purge_media(local_storage, expired_media(media.expires_at))) == 1


def test_what_cannot_be_deleted_does_not_keep_the_others(
    local_storage: LocalMediaStorage, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, *others = [put(local_storage, project, MediaState.READY) for _ in range(4)]
    delete_folder = local_storage.delete_folder

    def delete_others(folder: str) -> None:
        if folder == stuck.folder:
            raise PermissionError(folder)
        delete_folder(folder)

    monkeypatch.setattr(local_storage, "delete_folder", delete_others)
    with pytest.raises(StorageUnavailable, match=f"1 are left, the first is {stuck.folder}"):
        list(purge.purge_media(local_storage, expired_media(stuck.expires_at)))
    assert [media.pk for media in Media.objects.filter(project=project)] == [stuck.pk]
    assert [is_there(local_storage, media) for media in (stuck, *others)] == [True, False, False, False]


def test_nothing_is_checked_so_late_that_it_may_be_purged_meanwhile(
    local_storage: LocalMediaStorage, project: Project
) -> None:
    media = put(local_storage, project, MediaState.STARTED)
    with pytest.raises(RpcError):
        claim(project_id=project.pk, uid="ann", media_id=media.media_id, now=media.expires_at - CLAIM_LIFE)
    assert claim(
        project_id=project.pk,
        uid="ann",
        media_id=media.media_id,
        now=media.expires_at - CLAIM_LIFE - timedelta(seconds=1),
    )


def test_a_claim_whose_holder_died_is_taken_over_under_another_key(
    local_storage: LocalMediaStorage, project: Project
) -> None:
    media = start(project_id=project.pk, uid="ann", kind=MediaKind.FILE, name="x", size=5, sizes=Sizes(), now=NOW)
    named: dict[str, Any] = {"project_id": project.pk, "uid": "ann", "media_id": media.media_id}
    first = claim(**named, now=NOW)
    with pytest.raises(RpcError):
        claim(**named, now=NOW + CLAIM_LIFE - timedelta(seconds=1))
    assert claim(**named, now=NOW + CLAIM_LIFE).checked_key != first.checked_key


# The command


def said(**options: Any) -> str:
    out = io.StringIO()
    call_command("purge_media", stdout=out, **options)
    return out.getvalue()


def test_the_command_says_what_it_would_do_and_does_it(local_storage: LocalMediaStorage, project: Project) -> None:
    call_command("purge_media", stdout=io.StringIO())  # whatever others have left
    put(local_storage, project, MediaState.READY)
    assert said(dry_run=True) == "would delete 1 files and images\n"
    assert len(files(local_storage)) == 3
    assert said() == "deleted 1 files and images\n"
    assert (files(local_storage), said()) == ([], "deleted 0 files and images\n")


def test_the_command_shows_its_progress(
    local_storage: LocalMediaStorage, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "BATCH", 1)
    monkeypatch.setattr("messaging.management.commands.purge_media.REPORT_EVERY", 2)
    for _ in range(5):
        put(local_storage, project, MediaState.READY)
    assert said(project=project.app_id) == "2 so far\n4 so far\ndeleted 5 files and images\n"


def test_the_command_purges_the_notes_of_messages_that_never_came(
    local_storage: LocalMediaStorage, project: Project
) -> None:
    call_command("purge_media", stdout=io.StringIO())
    media = put(local_storage, project, MediaState.READY)
    Media.objects.filter(pk=media.pk).update(expires_at=datetime.now(UTC) + timedelta(days=7))
    stream = Stream.objects.create(project=project, name="room:math", created_at=NOW)
    MediaUse.objects.create(media=media, stream=stream, sender="ann", message_id="m1", created_at=NOW)
    none = "0 files and images\n"
    assert said(dry_run=True) == f"would delete {none}would delete 1 notes of messages that never came\n"
    assert said() == f"deleted {none}deleted 1 notes of messages that never came\n"
    assert said() == f"deleted {none}"


def test_the_command_purges_what_was_posted_once_more(local_storage: LocalMediaStorage, project: Project) -> None:
    """By the form of a file that is kept, or that staff has deleted: its bytes count for nobody."""
    call_command("purge_media", stdout=io.StringIO())
    now = datetime.now(UTC)
    kept, deleted = put(local_storage, project, MediaState.READY, now), put(local_storage, project, MediaState.READY)
    assert purge.delete_media(local_storage, [deleted]) == 1
    local_storage.put(deleted.uploaded_key, io.BytesIO(b"bytes"))
    expired = put(local_storage, project, MediaState.STARTED)
    for media in (kept, deleted, expired):
        os.utime(local_storage.path(media.uploaded_key), times=(0, (now - UPLOAD_LIFE).timestamp() - 1))
    new = put(local_storage, project, MediaState.STARTED, now)
    assert said(dry_run=True) == "would delete 1 files and images\nwould delete 2 uploads that were left\n"
    assert said().endswith("deleted 2 uploads that were left\n")
    assert "uploads" not in said()
    left = (kept.checked_key, kept.thumbnail_key, new.uploaded_key, new.checked_key, new.thumbnail_key)
    assert files(local_storage) == sorted(left)


def test_the_command_empties_a_project_that_is_to_be_deleted(
    local_storage: LocalMediaStorage, project: Project, make_project: Callable[..., Project]
) -> None:
    """Whatever its files' time; what may be on its way still is left for an hour."""
    other = make_project()
    kept = put(local_storage, other, MediaState.READY)
    now = datetime.now(UTC)
    begun = put(local_storage, project, MediaState.STARTED, now)
    for _ in range(2):
        put(local_storage, project, MediaState.READY, now - UPLOAD_LIFE - timedelta(seconds=1))
    Media.objects.filter(project=project).update(expires_at=now + timedelta(days=7))
    options = {"project": project.app_id, "all": True}
    with pytest.raises(CommandError, match="is active"):
        said(**options)
    Project.objects.filter(pk=project.pk).update(is_active=False)
    assert said(project=project.app_id) == "deleted 0 files and images\n"
    assert said(**options, dry_run=True) == "would delete 2 files and images\n"
    with pytest.raises(CommandError, match="1 are left"):
        said(**options)
    Media.objects.filter(pk=begun.pk).update(created_at=now - UPLOAD_LIFE)
    assert said(**options) == "deleted 1 files and images\n"
    assert not Media.objects.filter(project=project).exists()
    assert {key.removeprefix("uploads/").split("/")[0] for key in files(local_storage)} == {str(other.pk)}
    assert is_there(local_storage, kept)
    Media.objects.filter(project=other).delete()


@pytest.mark.parametrize(("options", "why"), [({"all": True}, "--all is for"), ({"project": "0" * 32}, "No project")])
def test_the_command_wants_a_project_that_is_there(options: dict[str, Any], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        said(**options)


def test_the_command_fails_where_the_storage_is_out_of_reach(
    local_storage: LocalMediaStorage, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(local_storage, project, MediaState.READY)
    use_storage(monkeypatch, s3_at(f"http://127.0.0.1:{free_port()}", "bucket"))
    with pytest.raises(CommandError, match="out of reach"):
        said()


# The admin


def test_a_project_with_files_says_what_to_run_before_it_can_be_deleted(
    local_storage: LocalMediaStorage, make_project: Callable[..., Project], staff: Client
) -> None:
    project = make_project()
    put(local_storage, project, MediaState.READY)
    page = reverse("admin:projects_project_delete", args=[project.pk])
    chosen = {"action": "delete_selected", "_selected_action": [project.pk], "post": "yes"}
    for answer in (
        staff.get(page),
        staff.post(page, {"post": "yes"}),
        staff.post(reverse("admin:projects_project_changelist"), chosen),
    ):
        assert f"manage.py purge_media --project {project.app_id} --all" in answer.content.decode()
    assert Media.objects.filter(project=project).exists()
    Project.objects.filter(pk=project.pk).update(is_active=False)
    said(project=project.app_id, all=True)
    assert staff.post(page, {"post": "yes"}).status_code == 302
    assert not Project.objects.filter(pk=project.pk).exists()


@pytest.fixture
def staff() -> Iterator[Client]:
    user = get_user_model().objects.create_superuser(f"staff-{secrets.token_hex(4)}", password=None)
    client = Client()
    client.force_login(user)
    yield client
    user.delete()


LIST = "admin:messaging_media_changelist"


def delete_by_action(staff: Client, media: Media) -> str:
    chosen = {"action": "delete_with_bytes", "_selected_action": [media.pk]}
    return staff.post(reverse(LIST), chosen, follow=True).content.decode()


def test_staff_looks_and_deletes_and_changes_nothing(
    local_storage: LocalMediaStorage, project: Project, staff: Client
) -> None:
    media = put(local_storage, project, MediaState.READY)
    page = reverse("admin:messaging_media_change", args=[media.pk])
    assert media.media_id in staff.get(page).content.decode()
    assert staff.post(page, {"name": "other"}).status_code == 403
    assert staff.post(reverse("admin:messaging_media_delete", args=[media.pk]), {"post": "yes"}).status_code == 403
    assert staff.get(reverse("admin:messaging_media_add")).status_code == 403
    listed = staff.get(reverse(LIST), {"q": media.media_id}).content.decode()
    assert "delete_with_bytes" in listed
    assert "delete_selected" not in listed
    assert "1 file or image is deleted." in delete_by_action(staff, media)
    assert files(local_storage) == []
    assert not Media.objects.filter(pk=media.pk).exists()


def test_staff_is_told_when_the_storage_is_out_of_reach(
    local_storage: LocalMediaStorage, project: Project, staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    media = put(local_storage, project, MediaState.READY)
    use_storage(monkeypatch, s3_at(f"http://127.0.0.1:{free_port()}", "bucket"))
    assert "The storage is out of reach." in delete_by_action(staff, media)
    assert Media.objects.filter(pk=media.pk).exists()


def test_the_list_is_in_chinese_too(local_storage: LocalMediaStorage, project: Project, staff: Client) -> None:
    put(local_storage, project, MediaState.READY)
    page = staff.get(reverse(LIST), headers={"accept-language": "zh-hans"}).content.decode()
    for text in ("文件和图片", "删除所选文件和图片", "保留至", "可用"):
        assert text in page
    with translation.override("zh-hans"):
        assert str(Media._meta.verbose_name) == "文件或图片"
