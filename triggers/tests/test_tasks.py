"""django-q2 is handed dotted paths: each of them leads to a task, and a task never raises."""

from __future__ import annotations

import pydoc

import pytest
from django.conf import settings
from django_q.models import Schedule

from triggers import bulk, dispatch, replays, tasks

SCHEDULED = [path for _, path, *_ in (*tasks.SCHEDULES, *settings.FURTHER_SCHEDULES)]
PATHS = [*SCHEDULED, dispatch.DELIVER, dispatch.BEAT, replays.GO_ON, bulk.GO_ON, "triggers.tasks.show_life"]


@pytest.mark.parametrize("path", PATHS)
def test_every_dotted_path_leads_to_a_task(path: str) -> None:
    assert callable(pydoc.locate(path))


@pytest.mark.django_db
def test_the_schedules_are_kept_as_they_should_be() -> None:
    Schedule.objects.create(name="Of an older version", func="triggers.tasks.gone", schedule_type=Schedule.MINUTES)
    Schedule.objects.create(name="Clean-up", func="triggers.tasks.clean_up", minutes=7, schedule_type=Schedule.MINUTES)

    tasks.keep_schedules()
    tasks.keep_schedules()

    assert dict(Schedule.objects.values_list("name", "minutes")) == {
        "The beat": 1,
        "Replays": 1,
        "Bulk deeds": 1,
        "Clean-up": 1,
        "Clean-up of the test receivers": 1,
        "Clean-up of API keys": 60,
        "Clean-up of sessions": 1440,
    }


@pytest.mark.django_db
def test_a_task_never_raises(caplog: pytest.LogCaptureFixture) -> None:
    tasks.deliver(None)  # type: ignore[arg-type]

    assert "The task deliver failed" in caplog.text
