from dataclasses import dataclass

from projects.limits import Limits, parse_limits
from projects.models import Project


@dataclass(frozen=True, slots=True)
class Tenant:
    """What the gateway needs of a project, read once and kept for a few seconds."""

    id: int
    app_id: str
    certificate_enabled: bool
    origins: frozenset[str]
    limits: Limits
    recovery_window_ms: int

    def accepts_origin(self, origin: str | None) -> bool:
        """Apps live on other origins and carry tokens, not cookies: any origin while the certificate is
        off or no list is kept; programs that are no browsers send none."""
        return not (self.certificate_enabled and self.origins and origin) or origin in self.origins


def get_tenant(app_id: str) -> Tenant | None:
    """The active project with this App ID, or None."""
    project = Project.objects.filter(app_id=app_id, is_active=True).first()
    if project is None:
        return None
    return Tenant(
        id=project.pk,
        app_id=project.app_id,
        certificate_enabled=project.certificate_enabled,
        origins=frozenset(project.allowed_origins.split()),
        limits=parse_limits(project.limits),
        recovery_window_ms=project.recovery_window_s * 1000,
    )
