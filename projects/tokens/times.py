from typing import Final

LONGEST_S: Final = 24 * 3600
"""How long a token may be valid."""
CLOCK_SLACK_S: Final = 5 * 60
"""So far may the issuer's clock be ahead of ours."""
