"""Tokens of issuers that nobody here wrote: the vendor's packages for Python and Node.js."""

import json
import subprocess
import time
from pathlib import Path
from typing import Final

import agora_token_builder
import pytest
from django.conf import settings

from projects.tokens import ExpiredToken, InvalidToken, Token, issue_007, verify
from tests.support.tokens import APP_ID, CERTIFICATE, DAY_S

ROOT: Final = Path(settings.BASE_DIR)
VALID_FOR_S: Final = 600
UIDS: Final = ("ann", "x" * 64, " a!#$%&()+-:;<=.>?@[]^_{}|~,", "no\u00a0break")
ISSUERS: Final = {
    "PyPI agora-token-builder": ("006", DAY_S),
    "npm agora-access-token": ("006", DAY_S),
    "npm agora-token": ("007", VALID_FOR_S),
    "npm agora-token, of RTC and RTM": ("007", VALID_FOR_S),
}
"""The format of each, and how long its tokens last. A 006 token is for a day, whatever is said of its privilege."""


def by_python(uid: str) -> str:
    builder = agora_token_builder.RtmTokenBuilder
    token: str = builder.buildToken(APP_ID, CERTIFICATE, uid, 1, int(time.time()) + VALID_FOR_S)
    return token


def by_node(uid: str) -> dict[str, str]:
    wanted = {"appId": APP_ID, "certificate": CERTIFICATE, "uid": uid, "validFor": VALID_FOR_S}
    command = ["node", str(ROOT / "tests" / "support" / "issue_tokens.js"), json.dumps(wanted)]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return {f"npm {name}": token for name, token in json.loads(said.stdout).items()}


@pytest.fixture(scope="module", params=UIDS)
def issued(request: pytest.FixtureRequest) -> tuple[str, dict[str, str]]:
    """A user, and a token of each issuer."""
    uid: str = request.param
    return uid, {"PyPI agora-token-builder": by_python(uid), **by_node(uid)}


def look_at(token: str, uid: str, *, in_s: int = 0, certificate: str = CERTIFICATE, app_id: str = APP_ID) -> Token:
    now_ms = (int(time.time()) + in_s) * 1000
    return verify(token, app_id=app_id, certificates=(certificate,), uid=uid, now_ms=now_ms)


@pytest.mark.parametrize("issuer", ISSUERS)
def test_their_tokens_are_taken_as_long_as_they_last(issued: tuple[str, dict[str, str]], issuer: str) -> None:
    uid, tokens = issued
    token, (version, lasts_s) = tokens[issuer], ISSUERS[issuer]
    assert look_at(token, uid).version == version
    assert look_at(token, uid, in_s=lasts_s - 60).expires_ms == look_at(token, uid).expires_ms
    with pytest.raises(ExpiredToken):
        look_at(token, uid, in_s=lasts_s)


@pytest.mark.parametrize("issuer", ISSUERS)
def test_their_tokens_are_taken_for_nobody_else(issued: tuple[str, dict[str, str]], issuer: str) -> None:
    uid, tokens = issued
    with pytest.raises(InvalidToken):
        look_at(tokens[issuer], uid[:-1] + "z")
    with pytest.raises(InvalidToken):
        look_at(tokens[issuer], uid, certificate="0" * 32)
    with pytest.raises(InvalidToken):
        look_at(tokens[issuer], uid, app_id="0" * 32)


def test_what_is_issued_here_is_read_by_the_vendors_package() -> None:
    token = issue_007(
        app_id=APP_ID, certificate=CERTIFICATE, uid="ann", issued_s=1_700_000_000, valid_s=600, salt=4_000_000_000
    )
    script = """
        import token2 from "agora-token/src/AccessToken2.js";
        const read = new token2.AccessToken2();
        const isRead = read.from_string(process.argv[1]);
        const [rtm] = read.services;
        console.log(JSON.stringify({
            isRead, appId: read.appId.toString(), issuedS: read.issueTs, validS: read.expire, salt: read.salt,
            count: read.services.length, type: rtm.service_type(), uid: rtm.__user_id.toString(),
            privileges: rtm.__privileges,
            isSigned: read.verifySignature(process.argv[2]), isSignedOtherwise: read.verifySignature("0".repeat(32)),
        }));
    """
    command = ["node", "--input-type=module", "--eval", script, token, CERTIFICATE]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert json.loads(said.stdout) == {
        "isRead": True,
        "appId": APP_ID,
        "issuedS": 1_700_000_000,
        "validS": 600,
        "salt": 4_000_000_000,
        "count": 1,
        "type": 2,
        "uid": "ann",
        "privileges": {"1": 600},
        "isSigned": True,
        "isSignedOtherwise": False,
    }
