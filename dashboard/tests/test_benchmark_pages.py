"""`manage.py benchmark pages` asks for what is there, and leaves nobody behind."""

from __future__ import annotations

import random
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from dashboard.models import User
from triggers import demo
from triggers.management.commands.benchmark import Command as Engine

pytestmark = pytest.mark.django_db


def test_it_measures_every_page_and_forgets_who_looked() -> None:
    demo.write(demo.small(), timezone.now(), random.Random(1))
    out = StringIO()
    call_command("benchmark", "pages", rounds=1, stdout=out)
    lines = {line[:44].strip(): line.split() for line in out.getvalue().splitlines()}
    for page in ("overview", "triggers", "log", "log: poll, nothing new", "event: failed", "failed for good"):
        assert float(lines[page][-3] if "over" not in lines[page] else lines[page][-6]) > 0
    assert not User.objects.exists()


def test_it_says_how_to_make_events_where_there_are_none() -> None:
    with pytest.raises(CommandError, match="demo_data"):
        call_command("benchmark", "pages")


def test_the_engines_own_kinds_are_there_too() -> None:
    out = StringIO()
    call_command("benchmark", "schedules", stdout=out)
    assert "next fires a second" in out.getvalue()
    assert hasattr(Engine, "herd")
