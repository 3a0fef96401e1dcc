"""The reverse proxy that signs people in (OIDC) and names them to Orthanc: how it is known.

Knows the section [proxy] of settings.toml. Must not know accounts or what they may do (that is policy.toml). Source:
issue of trust in names that arrive in a header; RFC 7239 section 8.1 says that nothing makes such a header true but
knowing who sent it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

STRICT = ConfigDict(extra="forbid")
Header = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9\-]{1,64}$")]
Account = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """Who the proxy is, and in which headers it says what.

    Attributes:
        account: the proxy's own account in Orthanc; no person uses it.
        secret_file: key file (64 hexadecimal digits, mode 0600) whose text the proxy sends in ``secret_header``.
        addresses: where it calls from, addresses or networks.
        user_header: the header that names the person it has signed in.
        secret_header: the header that has the secret.
    """

    __pydantic_config__ = STRICT
    account: Account
    secret_file: Annotated[str, StringConstraints(min_length=1)]
    addresses: Networks
    user_header: Header = "X-Forwarded-User"
    secret_header: Header = "X-Consentgate-Proxy"  # noqa: S105 - a header's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """The proxy as the doors know it: its settings, and the secret that it shows."""

    settings: ProxySettings
    secret: str = field(repr=False)

    def calls_from(self, address: str) -> bool:
        """Tell whether ``address`` is one of the proxy's; what is no address isn't."""
        try:
            caller = ip_address(address)
        except ValueError:
            return False
        return any(caller in network for network in self.settings.addresses)
