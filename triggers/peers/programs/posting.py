"""The request that every peer sends: one POST of a small JSON body over a connection that is kept.

urllib3 by itself, not requests on top of it: less than half of the processor's time.
"""

from __future__ import annotations

import urllib3
from orders import SETTINGS

_connections = urllib3.PoolManager(maxsize=SETTINGS["connections"], retries=False, timeout=10)


class Refused(Exception):
    """The endpoint's answer is no success."""


def post(number: int, due: float) -> int:
    """Send one event; return the status of the answer. Raises Refused, or urllib3's HTTPError."""
    answer = _connections.request("POST", SETTINGS["url"], json={"n": number, "due": due})
    if answer.status >= 300:
        raise Refused(answer.status)
    return answer.status
