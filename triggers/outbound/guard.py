"""The guard: it makes the sockets of connections, and none to an address that may not be reached."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from triggers.outbound.addresses import Network, refusal


class Blocked(OSError):
    """The guard refuses an address; an OSError, because only those pass through the client."""


class Guard:
    """Makes the sockets of connections, and none to an address that may not be reached."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self.allowed = tuple(allowed)

    def __call__(self, addr_info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = addr_info
        if words := refusal(str(address[0]), self.allowed):
            raise Blocked(words)
        return socket.socket(family, kind, protocol)


class Names(AbstractResolver):
    """Looks names up, in threads of its own: a name server that hangs must not hold up other work.

    Blocked addresses are left out already here, so that the words are those of the addresses that were tried;
    the guard looks at each again.
    """

    def __init__(self, guard: Guard, threads: int) -> None:
        self._guard = guard
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host, port, family)
        refusals = [refusal(each["host"], self._guard.allowed) for each in found]
        reachable = [each for each, words in zip(found, refusals, strict=True) if not words]
        if not reachable:
            raise Blocked(f"{host} leads to {found[0]['host']}. {refusals[0]}")
        return reachable

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    try:
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except UnicodeError as error:  # a label that no name server would take
        raise socket.gaierror(socket.EAI_NONAME, str(error)) from error
    return [
        ResolveResult(
            hostname=host,
            host=str(address[0]),
            port=port,
            family=each_family,
            proto=protocol,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for each_family, _, protocol, _, address in found
    ]
