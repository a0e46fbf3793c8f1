"""The engine: what happens to an event, in the order of its road. No HTML, no request objects.

    schedules    when does this trigger fire next?                       (pure)
    firing       the one way in: a trigger fires, an Event is written
    dispatch     the beat: claims what falls due, hands events to workers
    delivery     a worker sends events through `outbound` and writes what came of them
    stats        what is shown of it
    retention    forgotten after 48 h

The Event row is the truth; a message in the queue is only a hint. Imports go down only; see
ARCHITECTURE.md for the floors.
"""
