class TokenError(Exception):
    """A token that is not accepted; the text says why, without any secret."""


class InvalidToken(TokenError):
    """It is no token of this project for this user."""


class ExpiredToken(TokenError):
    """It was one, and has run out."""
