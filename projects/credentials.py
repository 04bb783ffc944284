"""Credentials of the REST interface: made, found, noted (docs/contract.md 10).

A secret is 256 bits of the system's randomness: nobody guesses it, so its hash need not be slow, and every call can
afford it.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from projects.models import Project, RestCredential


class MadeCredential(NamedTuple):
    """`secret` is shown this once."""

    credential: RestCredential
    secret: str


@dataclass(frozen=True, slots=True)
class Credential:
    """An active one of an active project."""

    id: int
    project_id: int
    customer_id: str
    last_used_at: datetime | None
    secret_hash: str = field(repr=False)

    def has_secret(self, secret: str) -> bool:
        return hmac.compare_digest(hash_secret(self.customer_id, secret), self.secret_hash)


def hash_secret(customer_id: str, secret: str) -> str:
    """Two credentials with one secret have two hashes."""
    return hashlib.sha256(f"{customer_id}:{secret}".encode("utf-8", "surrogatepass")).hexdigest()


def create_credential(*, project: Project, name: str = "") -> MadeCredential:
    """Makes a credential. Raises ValidationError for a name that is too long."""
    secret = secrets.token_hex(32)
    credential = RestCredential(project=project, name=name)
    credential.secret_hash = hash_secret(credential.customer_id, secret)
    credential.full_clean()
    credential.save(force_insert=True)
    return MadeCredential(credential, secret)


def find_credential(customer_id: str) -> Credential | None:
    """The active credential of an active project with this customer id."""
    row = (
        RestCredential.objects.filter(customer_id=customer_id[:64], is_active=True, project__is_active=True)
        .values_list("id", "project_id", "customer_id", "last_used_at", "secret_hash")
        .first()
    )
    return Credential(*row) if row is not None else None


def note_use(*, credential_id: int, now: datetime) -> None:
    """Notes that a credential was used, for its owner to see which ones are."""
    RestCredential.objects.filter(pk=credential_id).update(last_used_at=now)
