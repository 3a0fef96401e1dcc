"""Who asks: from an AE title, a verified account or a proxy's word to the binding that policy.toml gives it.

Knows policy.toml's bindings and the one proxy that is believed. A request may choose a purpose only among those that
its account is bound to, and gets that purpose's audience and form with it. What claims to be somebody and can't be
believed is refused, never read as if it had claimed nothing. Source: purpose of use as of HL7 v3 PurposeOfUse.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from dicomwrap.terms import PURPOSE_CODES, Audience, Form, Purpose
from orthanc_plugin.config.bindings import DicomNode, Role, SignsIn, User
from orthanc_plugin.config.policyfile import Policy
from orthanc_plugin.config.proxy import Proxy
from orthanc_plugin.gate import Requester
from orthanc_plugin.sending.asking import bound

PURPOSE_HEADERS: Final = ("purpose-of-use", "x-purpose-of-use")
PURPOSE_ARGUMENT: Final = "purpose"
MOST_KNOWN: Final = 1024
# What proxies usually name people in; whoever sends one without being our proxy claims to be somebody else.
IDENTITY_HEADERS: Final = frozenset({"x-forwarded-user", "x-auth-request-user", "x-remote-user", "remote-user"})
BEARER: Final = (
    "BEARER_TOKEN",
    "bearer tokens are not accepted: Orthanc lets the ones it makes past every check",
)
NOT_THE_PROXY: Final = (
    "IDENTITY_NOT_TRUSTED",
    "the request names a person in a header, and does not come from the proxy that may do so",
)
NOBODY_NAMED: Final = ("NO_IDENTITY", "the proxy named nobody, and its own account may have nothing")
TWO_NAMED: Final = ("IDENTITY_AMBIGUOUS", "the proxy named two different people")
OTHER_SIGN_IN: Final = (
    "OTHER_SIGN_IN",
    "policy.toml has the account, and it signs in the other way: with Orthanc's password, or at the proxy",
)
NOT_BOUND: Final = ("UNKNOWN_USER", "the account is not bound to a purpose in policy.toml")


def unknown(actor: str, address: str = "") -> Requester:
    """Return the requester nobody bound: it may have nothing."""
    return Requester(
        actor=actor or "anonymous",
        recipient="unknown",
        purpose="",
        audience=Audience.UNKNOWN_AE,
        form=Form.ANONYMISED,
        verified=False,
        approved_channel=False,
        address=address,
    )


def account(headers: Mapping[str, str]) -> str:
    """Return the account of HTTP basic authentication, which Orthanc has verified before the filter is called.

    A bearer token or anything else that can't be read is no account: ''.
    """
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value, validate=True).decode("utf-8").partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks by HTTP. ``user`` is the account as bound for the purpose that is asked for.

    It is None when the request must be refused, and then ``rule`` and ``reason`` say why.
    """

    requester: Requester
    user: User | None = None
    rule: str = ""
    reason: str = ""


class _RefusedError(Exception):
    """Rule and reason why nobody is behind a request."""


def ourselves(name: str) -> Asker:
    """Return Consentgate's own other processes, which the filter has known by the secret of this start."""
    user = User(
        name=name,
        purpose=Purpose.RECORDS_MANAGEMENT,
        audience=Audience.RECORDS_OFFICER,
        roles=frozenset({Role.ADMIN}),
    )
    return Asker(requester=bound(name, user), user=user)


def way_of(proxy: Proxy | None, headers: Mapping[str, str]) -> SignsIn:
    """Return how whoever asks signs in: at the proxy, when it is its account that asks."""
    return SignsIn.PROXY if proxy is not None and account(headers) == proxy.settings.account else SignsIn.ORTHANC


def signed_in(proxy: Proxy | None, headers: Mapping[str, str], address: str | None) -> str:
    """Return the account behind a request, '' when there is none.

    Args:
        proxy: the proxy that may name people, if there is one.
        headers: by name in lower case; Orthanc has verified the password in them.
        address: where the request comes from; None where only the filter, which was asked before, could see it.

    Raises:
        _RefusedError: the request claims what can't be believed.
    """
    if headers.get("authorization", "").partition(" ")[0].lower() == "bearer":
        raise _RefusedError(*BEARER)
    own = account(headers)
    also = {proxy.settings.user_header.lower(), proxy.settings.secret_header.lower()} if proxy else frozenset()
    claimed = (IDENTITY_HEADERS | also) & headers.keys()
    if proxy is None or way_of(proxy, headers) is SignsIn.ORTHANC:
        if claimed:
            raise _RefusedError(*NOT_THE_PROXY)
        return own
    return _named(proxy, headers, address)


def _stranger(name: str) -> str:
    """Return what the trail calls whom the proxy names in vain: the bare name may be a system's, or our own."""
    return f"{SignsIn.PROXY}:{name}"


def vouched_for(policy: Policy, proxy: Proxy | None, headers: Mapping[str, str], address: str) -> str:
    """Return whom the proxy names, '' for everybody else: where Orthanc hasn't verified the password, only this counts.

    Args:
        policy: who may be named so.
        proxy: the proxy that may name people, if there is one.
        headers: by name in lower case.
        address: where the request comes from.
    """
    if proxy is None or way_of(proxy, headers) is SignsIn.ORTHANC:
        return ""
    try:
        name = _named(proxy, headers, address)
    except _RefusedError:
        return ""
    user = policy.user(name)
    return name if user is not None and user.signs_in is SignsIn.PROXY else _stranger(name)


def _named(proxy: Proxy, headers: Mapping[str, str], address: str | None) -> str:
    """Return whom the proxy names, if it is the proxy."""
    shown = headers.get(proxy.settings.secret_header.lower(), "")
    knows_the_secret = hmac.compare_digest(shown.encode(), proxy.secret.encode())
    if not knows_the_secret or (address is not None and not proxy.calls_from(address)):
        raise _RefusedError(*NOT_THE_PROXY)
    name = headers.get(proxy.settings.user_header.lower(), "")
    if not name.strip():
        raise _RefusedError(*NOBODY_NAMED)
    if any(headers[each] != name for each in IDENTITY_HEADERS & headers.keys()):
        raise _RefusedError(*TWO_NAMED)
    return name


def chosen(user: User, headers: Mapping[str, str], arguments: Mapping[str, str]) -> User:
    """Return the user as bound to the purpose that the request names in a header, or to its own when none is named.

    Raises:
        _RefusedError: it names one that the user isn't bound to, or two, or another one in an argument.
    """
    named = {headers[header] for header in PURPOSE_HEADERS if header in headers}
    every = user.uses()
    uses = {word: use for use in every for word in (use.purpose.value, PURPOSE_CODES[use.purpose])}
    meant = {uses[word].purpose if word in uses else None for word in named} or {user.purpose}
    found = next((use for use in every if meant == {use.purpose}), None)
    argument = arguments.get(PURPOSE_ARGUMENT)
    if found is None or (argument is not None and argument not in (found.purpose.value, PURPOSE_CODES[found.purpose])):
        bound_to = ", ".join(use.purpose for use in every)
        reason = f"the account is bound to {bound_to}; another purpose was asked for, or not in the header that counts"
        raise _RefusedError("PURPOSE_NOT_BOUND", reason)
    return found


def of_request(
    policy: Policy,
    proxy: Proxy | None,
    headers: Mapping[str, str],
    arguments: Mapping[str, str],
    address: str | None = None,
) -> Asker:
    """Return who asks by HTTP; header names in lower case, ``address`` None in a REST callback, which isn't told it."""
    return Askers(policy, proxy).of_request(headers, arguments, address)


Known = tuple[str, SignsIn, str, tuple[str | None, ...]]


class Askers:
    """Knows who asks by HTTP; whoever asked in the same way before isn't made out again.

    Args:
        policy: who is bound to what.
        proxy: the proxy that may name people, if there is one.
    """

    def __init__(self, policy: Policy, proxy: Proxy | None) -> None:
        self.policy = policy
        self.proxy = proxy
        self._known: dict[Known, Asker] = {}

    def of_request(self, headers: Mapping[str, str], arguments: Mapping[str, str], address: str | None) -> Asker:
        """Return who asks; header names in lower case, ``address`` None in a REST callback, which isn't told it."""
        place = address or ""
        try:
            name, way = signed_in(self.proxy, headers, address), way_of(self.proxy, headers)
        except _RefusedError as refused:
            return _refused(unknown(account(headers), place), *refused.args)
        purposes = (*(headers.get(header) for header in PURPOSE_HEADERS), arguments.get(PURPOSE_ARGUMENT))
        key = (name, way, place, purposes)
        asker = self._known.get(key)
        if asker is None:
            asker = _bound(self.policy, name, way, headers, arguments, place)
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[key] = asker
        return asker


def _bound(
    policy: Policy, name: str, way: SignsIn, headers: Mapping[str, str], arguments: Mapping[str, str], place: str
) -> Asker:
    """Return who asks, as policy.toml binds the account to the purpose that is asked for."""
    user = policy.user(name)
    if user is None or user.signs_in is not way:
        stranger = of_user(name if way is SignsIn.ORTHANC else _stranger(name), None, place)
        return _refused(stranger, *(NOT_BOUND if user is None else OTHER_SIGN_IN))
    try:
        use = chosen(user, headers, arguments)
    except _RefusedError as refused:
        return _refused(of_user(name, user, place), *refused.args)
    return Asker(requester=of_user(name, use, place), user=use)


def _refused(requester: Requester, rule: str, reason: str) -> Asker:
    return Asker(requester=requester, rule=rule, reason=reason)


def of_node(aet: str, node: DicomNode | None) -> Requester:
    """Return the requester behind an AE title."""
    return unknown(aet) if node is None else bound(aet, node, node.host)


def of_user(name: str, user: User | None, address: str) -> Requester:
    """Return the requester behind an account; emergency access is for a use that has the role."""
    if user is None:
        return unknown(name, address)
    return replace(bound(name, user, address), signed_in=Role.BREAK_GLASS in user.roles)
