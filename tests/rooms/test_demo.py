"""`manage.py demo`."""

from io import StringIO

from django.core.management import call_command

from messaging.models import Entry
from projects.demo import DEMO_APP_ID
from projects.limits import DEFAULT_LIMITS, RATES, parse_limits
from projects.models import Project


def test_it_makes_the_demo_project_once() -> None:
    Project.objects.filter(app_id=DEMO_APP_ID).delete()
    said = [run(), run()]
    assert [line.split()[0] for line in said] == ["made", "found"]
    assert all(DEMO_APP_ID in line and "/?room=lobby" in line for line in said)
    project = Project.objects.get(app_id=DEMO_APP_ID)
    assert not project.certificate_enabled
    assert parse_limits(project.limits) == DEFAULT_LIMITS
    assert list(Entry.objects.filter(stream__project=project).values_list("seq", "sender")) == [(1, "Rostrum")]


def test_for_load_tests_it_raises_rates_and_the_quota_of_files_and_nothing_else() -> None:
    run("--benchmark")
    project = Project.objects.get(app_id=DEMO_APP_ID)
    limits = parse_limits(project.limits)
    assert project.media_quota > Project().media_quota
    assert all(limits.rates[name].calls > RATES[name].calls for name in RATES)
    assert limits.sizes == DEFAULT_LIMITS.sizes


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("demo", *arguments, stdout=out)
    return out.getvalue()
