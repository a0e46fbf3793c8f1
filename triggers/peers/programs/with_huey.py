"""huey: a scheduled task for each event, in SQLite or Redis, and its result kept there.

It looks for what is due once a second, which is the shortest it has. Tuned: threads or greenlets, and idle workers that
look again after at most 0.1 s (stock: up to 10 s).
"""

from __future__ import annotations

import sys

from orders import SETTINGS, Herd, instant, serve, start

if SETTINGS["kind"] == "greenlet":
    from gevent import monkey

    monkey.patch_all()  # before all that waits; huey_consumer leaves it to its user

from huey import RedisHuey, SqliteHuey
from huey.bin.huey_consumer import consumer_main
from posting import post

huey = (
    RedisHuey("peers", url=SETTINGS["redis"])
    if SETTINGS["store"] == "redis"
    else SqliteHuey("peers", filename=f"{SETTINGS['folder']}/huey.sqlite3", timeout=20)
)


@huey.task(retries=5, retry_delay=5)
def deliver(number: int, due: float) -> int:
    return post(number, due)


def schedule(herd: Herd) -> None:
    for number, due in herd:
        deliver.schedule((number, due), eta=instant(due))


def main() -> None:
    if sys.argv[1:]:
        consumer_main()
        return
    options = ["-k", SETTINGS["kind"], "-w", str(SETTINGS["workers"]), "-s", "1", "-d", "0.01", "-m", "0.1", "-q"]
    serve(schedule, huey.result_count, start(sys.executable, __file__, "with_huey.huey", *options))


if __name__ == "__main__":
    import with_huey  # under its name: tasks are called by that of their module

    with_huey.main()
