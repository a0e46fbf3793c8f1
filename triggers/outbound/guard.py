"""The guard: it makes the sockets of connections, and none to an address that may not be reached."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from ipaddress import ip_network

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from triggers.outbound.addresses import Network, refusal

# Blocking; returns the addresses of a host name as text, or raises socket.gaierror.
LookUp = Callable[[str], Sequence[str]]
MakeSocket = Callable[[aiohttp.AddrInfoType], socket.socket]

MOST_ADDRESSES = 4  # of a name and of each family that are tried; each costs a connection when the first ones fail

EVERYWHERE: tuple[Network, ...] = (ip_network("0.0.0.0/0"), ip_network("::/0"))

_also_allowed: ContextVar[tuple[Network, ...]] = ContextVar("also_allowed", default=())


class Blocked(OSError):
    """The guard refuses an address; an OSError, because only those pass through the client."""


@contextmanager
def also_allowed(networks: tuple[Network, ...]) -> Iterator[None]:
    """In this block, for this task, these networks may be reached too."""
    token = _also_allowed.set(networks)
    try:
        yield
    finally:
        _also_allowed.reset(token)


class Guard:
    """Makes the sockets of connections, and none to an address that may not be reached."""

    def __init__(self, allowed: Sequence[Network], make_socket: MakeSocket) -> None:
        self.allowed = tuple(allowed)
        self._make_socket = make_socket

    def __call__(self, addr_info: aiohttp.AddrInfoType) -> socket.socket:
        if words := self.refusal(str(addr_info[4][0])):
            raise Blocked(words)
        return self._make_socket(addr_info)

    def refusal(self, address: str) -> str | None:
        return refusal(address, (*self.allowed, *_also_allowed.get()))


class Names(AbstractResolver):
    """Looks names up, in threads of its own: a name server that hangs must not hold up other work.

    Blocked addresses are left out already here, so that the words are those of the addresses that were tried;
    the guard looks at each again.
    """

    def __init__(self, guard: Guard, look_up: LookUp, threads: int) -> None:
        self._guard = guard
        self._look_up = look_up
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self.all_addresses(host)
        reachable = [address for address in found if not self._guard.refusal(address)]
        if not reachable:
            raise _refused(host, found[0], self._guard)
        ipv4 = [address for address in reachable if ":" not in address][:MOST_ADDRESSES]
        ipv6 = [address for address in reachable if ":" in address][:MOST_ADDRESSES]
        return [_result(host, port, address) for address in reachable if address in ipv4 or address in ipv6]

    async def check(self, host: str) -> None:
        """Raise Blocked when one of the addresses of a host, name or literal, may not be reached.

        For a host that a proxy connects to: which of them it takes is not ours to say.
        """
        found = [host.strip("[]")] if is_literal(host) else await self.all_addresses(host)
        for address in found:
            if self._guard.refusal(address):
                raise _refused(host, address, self._guard)

    async def all_addresses(self, host: str) -> Sequence[str]:
        """Return at least one address; raises socket.gaierror."""
        found = await asyncio.get_running_loop().run_in_executor(self._threads, self._look_up, host)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        return found

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def ask_name_servers(host: str) -> Sequence[str]:
    """Return the addresses that the system finds for this name."""
    try:
        found = socket.getaddrinfo(host, 0, socket.AF_UNSPEC, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except UnicodeError as error:  # a label that no name server would take
        raise socket.gaierror(socket.EAI_NONAME, str(error)) from error
    return [str(address[0]) for *_, address in found]


def plain_socket(addr_info: aiohttp.AddrInfoType) -> socket.socket:
    return socket.socket(*addr_info[:3])


def _refused(host: str, address: str, guard: Guard) -> Blocked:
    words = guard.refusal(address) or ""
    return Blocked(words if host.strip("[]") == address else f"{host} leads to {address}. {words}")


def _result(host: str, port: int, address: str) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=socket.AF_INET6 if ":" in address else socket.AF_INET,
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )


def is_literal(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()
