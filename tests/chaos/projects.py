"""The tenant of a chaos test."""

from typing import Final

from projects.limits import RATES
from projects.models import Project
from tests.support.cluster import Cluster

KEPT: Final = 20
"""Messages for a user who is away: few, so that some are pushed out."""


def make_project(cluster: Cluster) -> Project:
    """In the cluster's database, with rates that are no concern of these tests."""
    limits = {"rates": {name: [1_000_000, 1_000] for name in RATES}, "sizes": {"offline_messages": KEPT}}
    return Project.objects.using(cluster.database).create(name="chaos", limits=limits)
