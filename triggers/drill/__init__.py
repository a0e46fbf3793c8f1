"""The fault drill (`manage.py drill`): the whole installation under load, a fault in the middle, and the accounts.

    faults/     what is done, one entry for each fault
    frame       one drill, from the start of an installation to its accounts
    accounts    what three books say together: what callers were told, what the database holds, what the receiver got
    plan        triggers whose instants are known by arithmetic
    callers     fire by API, and write down what they are told
    receiver    writes every request down before it answers
    site        web and clusters, kept running
    stores      SQLite; PostgreSQL and Redis, as servers of its own
    processes   as /proc has them
    report      the figures, for people and for machines

It is not of the engine: nothing of it runs in a server.
"""
