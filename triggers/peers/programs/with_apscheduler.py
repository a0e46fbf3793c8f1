"""APScheduler 3: a job in SQLite for each event, run by threads of the scheduler's own process.

It keeps no record of outcomes, and is spared one. Tuned: the write-ahead log and no waiting for the disk at every
commit, as this server has it; so many threads; connections that are kept.
"""

from __future__ import annotations

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from orders import SETTINGS, Herd, instant, serve
from posting import post
from sqlalchemy import create_engine, event

engine = create_engine(f"sqlite:///{SETTINGS['folder']}/jobs.sqlite3", connect_args={"timeout": 20})


@event.listens_for(engine, "connect")
def tune(connection, record) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


scheduler = BackgroundScheduler(
    jobstores={"default": SQLAlchemyJobStore(engine=engine)},
    executors={"default": ThreadPoolExecutor(SETTINGS["threads"])},
    job_defaults={"misfire_grace_time": SETTINGS["grace"]},
    timezone="UTC",
)


def schedule(herd: Herd) -> None:
    for number, due in herd:
        scheduler.add_job(post, "date", run_date=instant(due), args=(number, due))


if __name__ == "__main__":
    scheduler.start()
    serve(schedule, None)
    scheduler.shutdown(wait=False)
