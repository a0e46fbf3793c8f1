"""What people would use instead, measured beside this server: `make bench-peers`, docs/benchmarks.md.

`contenders.py` says who, and how each is set. `programs/` are those contenders: one file each, which makes it ready and
schedules what it is told to, by the Python of the peers (`.venv-peers`) or, for this server and the bare client, ours.
`receiver.py` takes the requests and measures their lateness, the same for all; `processes.py` what they cost;
`stores.py` starts Redis and PostgreSQL. `measure.py` runs one contender, `comparison.py` all, `table.py` prints.
"""
