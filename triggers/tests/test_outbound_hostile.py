"""Endpoints, and name servers, that do harm: each attempt ends in time, with the right reason, and nothing grows."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from triggers import outbound
from triggers.outbound import ErrorKind, OutboundError, Request
from triggers.outbound.guard import MOST_ADDRESSES, plain_socket
from triggers.tests.raw_receivers import HOSTILE, LOOPBACK, answering, exchange, quietly

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
SECONDS = 0.5  # of one attempt
AT_A_TIME = 8  # attempts on each receiver
STATUS = Path("/proc/self/status")
MOST_GROWTH = 32 * 1024 * 1024  # bytes


@pytest.mark.parametrize("mode", HOSTILE)
def test_an_attempt_ends_in_time_with_the_right_reason(mode: str) -> None:
    handle, expected = HOSTILE[mode]
    words = ""
    try:
        found = str(exchange(handle, timeout_seconds=_seconds_for(mode))[0].status)
    except OutboundError as error:
        found, words = error.kind.value, str(error)

    assert found == expected
    assert words == "" or words.endswith(".")


def _seconds_for(mode: str) -> float:
    """On a busy machine drips come late and floods take long: with more time that is not taken for silence."""
    _, expected = HOSTILE[mode]
    return SECONDS if "timeout" in expected and "drips" not in mode else 4 * SECONDS


# --- Memory ------------------------------------------------------------------------------------------


@contextmanager
def _receivers() -> Iterator[dict[str, int]]:
    """Run every hostile receiver in a thread; yield their ports."""
    loop = asyncio.new_event_loop()

    async def begin() -> dict[str, int]:
        ports = {}
        for mode, (handle, _) in HOSTILE.items():
            server = await asyncio.start_server(quietly(handle), "127.0.0.1", 0)
            ports[mode] = server.sockets[0].getsockname()[1]
        return ports

    async def end() -> None:
        handling = asyncio.all_tasks() - {asyncio.current_task()}
        for task in handling:
            task.cancel()
        await asyncio.gather(*handling, return_exceptions=True)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield asyncio.run_coroutine_threadsafe(begin(), loop).result()
    asyncio.run_coroutine_threadsafe(end(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def _send_to_all(ports: dict[str, int]) -> dict[str, Any]:
    """Send several requests to each at a time; return what came of them, and by how much this process grew.

    `late`: how long an attempt went on after its deadline, less what the machine itself held this process up.
    """

    async def run() -> dict[str, Any]:
        found: dict[str, list[str]] = {}
        late = 0.0
        async with outbound.open_session(LOOPBACK, AT_A_TIME) as session:
            # What a process needs once is no growth: a first request brings it.
            await outcome(session, ports["two answers to one request"])
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins here, after what importing took
            before = _memory("VmRSS")
            for mode, port in ports.items():
                seconds = _seconds_for(mode)
                start = time.monotonic()
                clock = asyncio.create_task(held_up())
                attempts = (outcome(session, port, seconds) for _ in range(AT_A_TIME))
                found[mode] = sorted(set(await asyncio.gather(*attempts)))
                took = time.monotonic() - start
                clock.cancel()
                late = max(late, took - seconds - await clock)
        return {"found": found, "growth": _memory("VmHWM") - before, "late": late}

    async def held_up() -> float:
        """Return, when cancelled, by how much sleeping took longer than it should: a busy machine, not an attempt."""
        total = 0.0
        with suppress(asyncio.CancelledError):
            while True:
                began = time.monotonic()
                await asyncio.sleep(0.05)
                total += time.monotonic() - began - 0.05
        return total

    async def outcome(session: Any, port: int, seconds: float = SECONDS) -> str:
        request = Request("POST", f"http://127.0.0.1:{port}/hook", body=b"{}")
        try:
            return str((await outbound.send(session, request, timeout_seconds=seconds, body_limit=65536)).status)
        except OutboundError as error:
            return error.kind.value

    return asyncio.run(run())


def _memory(name: str) -> int:
    """Return VmRSS (now) or VmHWM (the most since the program began) of this process, in bytes.

    `getrusage` is of no use here: its peak begins with what the parent had.
    """
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


@pytest.mark.skipif(not STATUS.exists(), reason="the memory of a process is read from /proc, which is not here")
def test_no_endpoint_makes_the_sender_grow() -> None:
    with _receivers() as ports:
        done = subprocess.run(
            [sys.executable, "-m", "triggers.tests.test_outbound_hostile", json.dumps(ports)],
            cwd=settings.BASE_DIR,
            env=os.environ | {"DJANGO_SETTINGS_MODULE": "dashboard.settings"},
            capture_output=True,
            text=True,
            check=True,
        )
    result = json.loads(done.stdout)

    assert result["found"] == {mode: [expected] for mode, (_, expected) in HOSTILE.items()}
    assert result["growth"] < MOST_GROWTH
    assert result["late"] < 1


# --- Names -------------------------------------------------------------------------------------------


class _Recorder:
    """Makes sockets, and notes which addresses they are for."""

    def __init__(self) -> None:
        self.addresses: list[str] = []

    def __call__(self, addr_info: Any) -> socket.socket:
        self.addresses.append(str(addr_info[4][0]))
        return plain_socket(addr_info)


def test_a_name_that_leads_inside_the_second_time_is_refused() -> None:
    """127.0.0.2 stands for a public address, 127.0.0.1 for one inside; the receiver is at both."""
    sockets = _Recorder()
    found = iter([["127.0.0.2"], ["127.0.0.1"], ["127.0.0.1", "127.0.0.2"]])
    statuses = []
    for _ in range(3):
        try:
            answers = exchange(
                answering(OK),
                url="http://crm.example:{port}/",
                listen_on="0.0.0.0",
                allowed=[ip_network("127.0.0.2/32")],
                look_up=lambda host: next(found),
                make_socket=sockets,
            )
            statuses.append(str(answers[0].status))
        except OutboundError as error:
            statuses.append(error.kind.value)

    assert statuses == ["200", "blocked", "200"]
    assert sockets.addresses == ["127.0.0.2", "127.0.0.2"]


def test_a_name_that_leads_inside_the_second_time_is_refused_in_one_session_too() -> None:
    sockets = _Recorder()
    found = iter([["127.0.0.2"], ["127.0.0.1"]])

    async def twice() -> str:
        server = await asyncio.start_server(
            quietly(answering(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))), "0.0.0.0", 0
        )
        request = Request("GET", f"http://crm.example:{server.sockets[0].getsockname()[1]}/")
        allowed = [ip_network("127.0.0.2/32")]
        async with outbound.open_session(allowed, look_up=lambda host: next(found), make_socket=sockets) as session:
            await outbound.send(session, request, timeout_seconds=5, body_limit=10)
            await asyncio.sleep(1.1)  # the look-up is remembered for a second
            try:
                await outbound.send(session, request, timeout_seconds=5, body_limit=10)
            except OutboundError as error:
                return str(error)
            finally:
                server.close()
        return ""

    assert asyncio.run(twice()).startswith("crm.example leads to 127.0.0.1. 127.0.0.1 is this machine itself")
    assert sockets.addresses == ["127.0.0.2"]


def test_few_of_fifty_addresses_are_tried() -> None:
    sockets = _Recorder()
    fifty = [f"127.0.1.{number}" for number in range(50)]

    with pytest.raises(OutboundError) as caught:
        exchange(answering(OK), url="http://crm.example:{port}/", look_up=lambda host: fifty, make_socket=sockets)

    assert caught.value.kind == ErrorKind.REFUSED
    assert set(sockets.addresses) == set(fifty[:MOST_ADDRESSES])


def test_an_address_that_takes_no_connection_does_not_stop_the_next() -> None:
    answers = exchange(
        answering(OK), url="http://crm.example:{port}/", look_up=lambda host: ["127.0.1.1", "127.0.1.2", "127.0.0.1"]
    )

    assert answers[0].remote_address == "127.0.0.1"


def test_both_families_of_addresses_are_tried() -> None:
    """Of many addresses of one family none is there; those of the other are not left out for them."""
    answers = exchange(
        answering(OK),
        url="http://crm.example:{port}/",
        look_up=lambda host: [*(f"2001:db8::{number}" for number in range(50)), "127.0.0.1"],
        allowed=[*LOOPBACK, ip_network("2001:db8::/32")],
        make_socket=_no_ipv6,
    )

    assert answers[0].remote_address == "127.0.0.1"


def _no_ipv6(addr_info: Any) -> socket.socket:
    if ":" in addr_info[4][0]:
        raise OSError(101, "Network is unreachable")
    return plain_socket(addr_info)


def test_an_answer_that_comes_late_harms_nobody() -> None:
    """Another name is found meanwhile, and nothing is connected to after the deadline."""
    sockets = _Recorder()

    def look_up(host: str) -> list[str]:
        if host == "late.example":
            time.sleep(0.6)
        return ["127.0.0.1"]

    async def both() -> list[str]:
        server = await asyncio.start_server(quietly(answering(OK)), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with outbound.open_session(LOOPBACK, look_up=look_up, make_socket=sockets) as session:
            sends = [
                outbound.send(session, Request("GET", f"http://{host}:{port}/"), timeout_seconds=0.3, body_limit=10)
                for host in ("late.example", "good.example")
            ]
            outcomes = await asyncio.gather(*sends, return_exceptions=True)
            await asyncio.sleep(0.5)
        server.close()
        return [str(getattr(each, "kind", getattr(each, "status", each))) for each in outcomes]

    assert asyncio.run(both()) == ["dns", "200"]
    assert sockets.addresses == ["127.0.0.1"]


@pytest.mark.parametrize("nonsense", ["", "localhost", "not an address", "127.1", "0x7f000001", "[::1]", "1.2.3.4.5"])
def test_a_name_server_that_answers_nonsense_is_not_followed(nonsense: str) -> None:
    sockets = _Recorder()

    with pytest.raises(OutboundError) as caught:
        exchange(answering(OK), url="http://crm.example:{port}/", look_up=lambda host: [nonsense], make_socket=sockets)

    assert caught.value.kind == ErrorKind.BLOCKED
    assert sockets.addresses == []


if __name__ == "__main__":
    print(json.dumps(_send_to_all(json.loads(sys.argv[1]))))  # noqa: T201 - test_no_endpoint_makes_the_sender_grow reads it
