"""Who sends what Orthanc is receiving: the account whose request runs on this thread.

Orthanc tells the Received hook the bytes and the way, not the sender. By HTTP it asks the filter, reads the body and
calls Received on one and the same thread, one request after the other (seen with 1.10.1 and 1.12.7: POST /instances,
ZIP, multipart, STOW-RS; tests/integration/test_senders.py), and those threads live until it stops. C-STORE and jobs
have threads of their own, of which nothing is noted: whoever sends there is nobody that is known. What some plugin sent
with a bearer token would pass no filter; preflight refuses plugins that could (docs/who-asks.md).
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from orthanc_plugin.enforcement import requester as requesters
from orthanc_plugin.enforcement.exits import METHODS
from orthanc_plugin.services import Services

HttpHook = Callable[..., bool]


class Senders:
    """Notes who asks on each of Orthanc's threads."""

    def __init__(self) -> None:
        self._by_thread: dict[int, str] = {}

    def noted(self, services: Services, allow: HttpHook) -> HttpHook:
        """Return the filter's hook, noting whose request it let pass; of one that is denied, nobody's."""

        def hook(uri: str, **request: object) -> bool:
            self._by_thread.pop(threading.get_ident(), None)
            allowed = allow(uri, **request)
            if allowed is True and METHODS.get(int(str(request.get("method")))) == "POST":
                self._by_thread[threading.get_ident()] = _account(services, request)
            return allowed

        return hook

    def account(self) -> str:
        """Return the account whose request runs on the calling thread; '' when that can't be told."""
        return self._by_thread.get(threading.get_ident(), "")


def _account(services: Services, request: dict[str, object]) -> str:
    """Return the bound account behind a request; Consentgate's own is none, for it sends what others sent before."""
    sent, address = request.get("headers"), str(request.get("ip", ""))
    headers = {str(name).lower(): str(text) for name, text in sent.items()} if isinstance(sent, dict) else {}
    asker = requesters.of_request(services.policy, services.proxy, headers, {}, address)
    return asker.user.name if asker.user is not None else ""
