"""Believable triggers and their last 48 hours, for looking at and for measuring: `manage.py demo_data`.

Nothing here is sent or waited for: what would have come of every fire is thrown like dice, from a seed.
"""

from __future__ import annotations

from triggers.demo.history import Written, write
from triggers.demo.plans import Plan, large, small

__all__ = ["Plan", "Written", "large", "small", "write"]
