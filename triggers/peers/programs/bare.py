"""The limit: aiohttp alone, which waits and sends, and keeps nothing. From one process or from several.

The connections of all processes together are as many as any contender may have.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import asdict

import aiohttp
from orders import SETTINGS, Herd, serve

PROCESSES = SETTINGS["processes"]


async def send_share(share: int) -> None:
    """Send every event whose number falls to this process, of all herds that are read from standard input."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    connections = SETTINGS["connections"] // PROCESSES
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:
        async for line in lines:
            mine = ((number, due) for number, due in Herd(**json.loads(line)) if number % PROCESSES == share)
            await asyncio.gather(*(send(session, mine) for _ in range(connections)))


async def send(session, waiting) -> None:
    for number, due in waiting:
        while (seconds := due - time.time()) > 0:
            await asyncio.sleep(seconds)
        async with session.post(SETTINGS["url"], json={"n": number, "due": due}) as answer:
            await answer.read()
            answer.raise_for_status()


def main() -> None:
    senders = [
        subprocess.Popen([sys.executable, __file__, str(share)], stdin=subprocess.PIPE, text=True)
        for share in range(PROCESSES)
    ]

    def schedule(herd: Herd) -> None:
        for sender in senders:
            sender.stdin.write(json.dumps(asdict(herd)) + "\n")
            sender.stdin.flush()

    serve(schedule, None, *senders)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(send_share(int(sys.argv[1])))
    else:
        main()
