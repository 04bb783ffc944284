import hmac
from collections.abc import Callable, Sequence

from projects.tokens.errors import InvalidToken


def sign(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def require_signature(signature: bytes, certificates: Sequence[str], made_with: Callable[[bytes], bytes]) -> None:
    """Raises InvalidToken unless one of the certificates made the signature. Takes the same time whichever did."""
    matches = [hmac.compare_digest(signature, made_with(certificate.encode())) for certificate in certificates]
    if not any(matches):
        raise InvalidToken("The token was not signed with the project's certificate.")
