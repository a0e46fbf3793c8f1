"""Which endpoint is accepted, and which address may be reached: rules only, nothing is connected to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.utils.translation import gettext as _
from yarl import URL

Network = IPv4Network | IPv6Network

LONGEST_URL = 2000  # characters

_PRIVATE = "on a private network"
_SELF = "this machine itself"
_LINK_LOCAL = "a link-local address"
_NOT_PUBLIC = "not a public address"
# Which addresses are not public, and why: the IANA special-purpose registries, as far as they are not to be
# reached from a server (RFC 6890 and its successors). Python's own `is_global` lets several through.
_DENIED_V4: tuple[tuple[IPv4Network, str], ...] = tuple(
    (IPv4Network(network), why)
    for network, why in (
        ("0.0.0.0/8", _SELF),
        ("10.0.0.0/8", _PRIVATE),
        ("100.64.0.0/10", _PRIVATE),
        ("127.0.0.0/8", _SELF),
        ("169.254.0.0/16", _LINK_LOCAL),
        ("172.16.0.0/12", _PRIVATE),
        ("192.0.0.0/24", _NOT_PUBLIC),
        ("192.0.2.0/24", _NOT_PUBLIC),
        ("192.88.99.0/24", _NOT_PUBLIC),
        ("192.168.0.0/16", _PRIVATE),
        ("198.18.0.0/15", _NOT_PUBLIC),
        ("198.51.100.0/24", _NOT_PUBLIC),
        ("203.0.113.0/24", _NOT_PUBLIC),
        ("224.0.0.0/4", _NOT_PUBLIC),
        ("240.0.0.0/4", _NOT_PUBLIC),
    )
)
_DENIED_V6: tuple[tuple[IPv6Network, str], ...] = tuple(
    (IPv6Network(network), why)
    for network, why in (
        ("::/127", _SELF),
        ("fc00::/7", _PRIVATE),
        ("fe80::/10", _LINK_LOCAL),
        ("2001::/23", _NOT_PUBLIC),
        ("2001:db8::/32", _NOT_PUBLIC),
        ("2002::/16", _NOT_PUBLIC),
        ("3fff::/20", _NOT_PUBLIC),
    )
)
_PUBLIC_V6 = ip_network("2000::/3")
# Where the server's own test receiver may stand although nothing else there is delivered to.
OWN_SINK_NETWORKS: tuple[Network, ...] = (
    *(network for network, why in _DENIED_V4 if why in (_SELF, _PRIVATE)),
    *(network for network, why in _DENIED_V6 if why in (_SELF, _PRIVATE)),
)

_PORTS = {"http": 80, "https": 443}
_NEVER_IN_A_URL = re.compile(r"[\s\x00-\x20\x7f-\xa0\\\ud800-\udfff]")
_URL = re.compile(r"(https?)://([^/?#]*)([^#]*)", re.ASCII | re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:]+)(?::([0-9]{1,5}))?", re.ASCII | re.IGNORECASE)
_HOST_NAME = re.compile(r"(?=.{1,254}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?", re.ASCII)
# A name that ends so is read as an IPv4 address by the C library: 127.1, 2130706433, 0x7f000001.
_NUMERIC_END = re.compile(r"(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?$", re.ASCII)
# What RFC 3986 allows after the authority (and the brackets that everybody uses there).
_QUOTED = re.compile(r"(?:[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*", re.ASCII)
_SINK_TOKEN = re.compile(r"[A-Za-z0-9_-]{22,64}", re.ASCII)  # nothing that a path could climb with


def checked_endpoint(url: str) -> str:
    """Return the endpoint as it will be used, which is as it was typed; raises ValueError with words.

    Only the form is checked here. Whether its address may be reached is decided when it is connected to.
    """
    client_url(url)
    return url


def is_own_sink(url: str, own_sinks: Sequence[str]) -> bool:
    """Return whether the endpoint is a test receiver of this server: one of these addresses and a token, nothing else.

    It is compared as it was typed, letter by letter: another spelling of the host, another port, a query or anything
    else after the token is another endpoint, which the guard judges as any.
    """
    return any(url.startswith(each) and _SINK_TOKEN.fullmatch(url, len(each)) for each in own_sinks)


def refusal(address: str, allowed: Sequence[Network]) -> str | None:
    """Return in words why nothing is delivered to this literal address, or None when it may be reached."""
    try:
        literal = ip_address(address.partition("%")[0])  # fe80::1%eth0
    except ValueError:
        return f"{address[:100]} is not an IP address that can be read."
    mapped = literal.ipv4_mapped if isinstance(literal, IPv6Address) else None
    meant = mapped or literal
    if any(meant in network or literal in network for network in allowed):
        return None
    why = _why_denied(meant)
    return why and (
        f"{address} is {why}, which this server does not deliver to. "
        "An administrator can allow it with DELIVERY_ALLOWED_NETWORKS."
    )


def _why_denied(address: IPv4Address | IPv6Address) -> str | None:
    if isinstance(address, IPv4Address):
        return next((why for network, why in _DENIED_V4 if address in network), None)
    why = next((why for network, why in _DENIED_V6 if address in network), None)
    # Of IPv6 only this block is given out to the public; what is not in it is odd, whatever it is.
    return why or (None if address in _PUBLIC_V6 else _NOT_PUBLIC)


@lru_cache(maxsize=1024)
def client_url(url: str) -> URL:
    """Return the endpoint as the client wants it; raises ValueError with words."""
    if len(url) > LONGEST_URL:
        raise ValueError(_("Too long: at most %(most)s characters are allowed.") % {"most": LONGEST_URL})
    if _NEVER_IN_A_URL.search(url):
        raise ValueError(_("Leave out spaces, control characters and backslashes."))
    if "#" in url:
        raise ValueError(_("Leave out the part from # on: it is never sent."))
    parts = _URL.fullmatch(url)
    if not parts:
        raise ValueError(_("Use an address that begins with http:// or https://."))
    scheme, authority, rest = parts.groups()
    if "@" in authority:
        raise ValueError(_("Leave out the user name and password before the @."))
    host_and_port = _AUTHORITY.fullmatch(authority)
    if not host_and_port:
        raise ValueError(_("Use a host name or an IP address, and a port if need be: https://example.com:8443/hook."))
    host, port = host_and_port.groups()
    if port and not 1 <= int(port) <= 65535:
        raise ValueError(_("Use a port from 1 to 65535."))
    # What is in order goes out as typed: the client's own quoting would change signed URLs.
    is_quoted = bool(_QUOTED.fullmatch(rest)) and host.isascii()
    name = _checked_host(host) if host.isascii() else None
    try:
        target = URL(url, encoded=is_quoted)
        read_host, read_port = target.host_subcomponent or "", target.port
    except ValueError:
        raise ValueError(_("This address cannot be read. Write the host in plain letters.")) from None
    if (name or read_host, int(port) if port else _PORTS[scheme.lower()]) != (_checked_host(read_host), read_port):
        raise ValueError(_("This address can be read in more than one way. Write the host in plain letters."))
    return target


def _checked_host(host: str) -> str:
    """Return the host in its one spelling, an IPv6 address without brackets; raises ValueError with words."""
    host = host.lower()
    if host.startswith("["):
        try:
            return str(IPv6Address(host[1:-1]))
        except ValueError:
            raise ValueError(_("Use an IPv6 address that can be read, such as [2001:db8::7].")) from None
    if _NUMERIC_END.search(host):
        try:
            return str(IPv4Address(host))
        except ValueError:
            raise ValueError(_("Write an IPv4 address as four numbers from 0 to 255, such as 192.0.2.7.")) from None
    if not _HOST_NAME.fullmatch(host):
        raise ValueError(_("Use a host name of letters, digits, dots and hyphens, such as example.com."))
    return host
