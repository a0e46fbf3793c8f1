"""What the engine says to people, in German: schedules, findings, errors, what a trigger's form and page say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import translation

from dashboard import deliveries, histories, ledgers, previews
from dashboard.forms import TriggerForm
from triggers import backoff, definition, doctor, payloads, request_headers, schedules
from triggers.models import Event, Trigger
from triggers.tests.factories import make_trigger

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("compiled_words", "_in_german")]
NOW = datetime(2026, 3, 26, 13, 45, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def _in_german() -> Iterator[None]:
    with translation.override("de"):
        yield


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (("fixed_time", "02:30", True), "Jeden Tag um 02:30"),
        (("fixed_time", "09:00", True, (1, 2, 3, 4, 5)), "Montag bis Freitag um 09:00"),
        (("fixed_time", "09:00", False, (6, 7)), "Einmal, Samstag und Sonntag um 09:00"),
        (("fixed_interval", "900", True), "Alle 15 min"),
        (("fixed_interval", "86400", True), "Jeden Tag"),
        (("fixed_interval", "5400", True), "Alle 1 h 30 min"),
        (("fixed_interval", "176400", False), "Einmal, 2 Tage 1 h nach dem Start"),
        (("cron", "* * * * *", True), "Jede Minute"),
        (("cron", "0 18 L * *", True), "Am letzten Tag des Monats um 18:00"),
        (("cron", "0 9 1,15 * *", True), "Am 1. und 15. des Monats um 09:00"),
        (("cron", "0 9 * * 1#2", True), "Am zweiten Montag des Monats um 09:00"),
        (("cron", "0 9 1 1 *", True), "Am 1. Januar um 09:00"),
        (("cron", "*/5 9-17 * * 1-5", True), "Alle 5 min von 09:00 bis 17:55, Montag bis Freitag"),
        (("cron", "0 9 * * 1-5", False), "Einmal, beim nächsten Mal von: Montag bis Freitag um 09:00"),
        # Cronsim would explain it in English.
        (("cron", "*/7 8-10 * * *", True), "Minute: jede 7.; Stunde: 08 bis 10"),
        (("", "", True), "Bei Aufruf"),
    ],
)
def test_a_schedule_in_words(schedule: tuple[Any, ...], words: str) -> None:
    assert schedules.in_words(*schedule) == words


def test_a_date_in_words() -> None:
    assert schedules.in_words("date", "2026-03-30T22:00", False, today=NOW.date()) == "Einmal, Mo 30. Mär um 22:00"
    assert previews.day_in_words(date(2027, 10, 4), NOW.date()) == "Mo 4. Okt 2027"
    assert previews.moment_in_words(NOW, BERLIN, NOW) == "heute, 14:45"


def test_a_cron_expression_field_by_field() -> None:
    assert [(field.name, field.words) for field in schedules.field_guide("0-20/2 9 L jan-mar 5L")] == [
        ("Minute", "jede 2. von :00 bis :20"),
        ("Stunde", "um 09"),
        ("Tag", "letzter Tag"),
        ("Monat", "Jan bis Mär"),
        ("Wochentag", "am letzten Freitag"),
    ]


def test_a_length_of_time_is_read_as_it_is_said() -> None:
    assert schedules.seconds_of("2 Tage, 3 Stunden und 5 Sek") == 183_605
    assert schedules.seconds_of(schedules.duration_in_words(180_000)) == 180_000


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("61 * * * *", "Minute: 61 liegt außerhalb. Verwenden Sie 0 bis 59."),
        ("0 0 30 2 *", "Tag: Ein solcher Tag kommt nie (Tag 30, Monat 2). Verwenden Sie einen Tag, den es gibt."),
        ("* * *", "Verwenden Sie fünf Felder: Minute, Stunde, Tag, Monat und Wochentag. Hier sind 3."),
    ],
)
def test_what_is_wrong_with_a_cron_expression(expression: str, words: str) -> None:
    with pytest.raises(schedules.ScheduleError) as caught:
        schedules.read("cron", expression, "UTC", NOW)

    assert str(caught.value) == words


def test_what_a_change_of_clocks_does() -> None:
    schedule = schedules.read("fixed_time", "02:30", "Europe/Berlin", NOW)
    before = datetime(2026, 3, 28, 12, tzinfo=UTC)
    note = schedules.note(schedule, before, schedule.next_after(before))

    assert note == "Die Uhren gehen vor: 02:30 gibt es nicht, deshalb wird um 03:00 ausgelöst."


def test_retries_in_words() -> None:
    words = "6, nach 5 s, 30 s, 2 min, 10 min, 30 min und 1 h. Gibt etwa 1 h 43 min nach dem ersten Versuch auf"
    assert backoff.in_words(backoff.PATIENT) == words


def test_errors_of_payloads_and_headers() -> None:
    with pytest.raises(payloads.PayloadError, match="Geben Sie ein JSON-Objekt an"):
        payloads.parse_object("[]")
    with pytest.raises(request_headers.HeaderError) as caught:
        request_headers.check_headers([("Host", "a")])
    assert str(caught.value) == "Der Header „Host“ ist nicht erlaubt: Er ergibt sich aus dem Endpunkt."


def test_outcomes_sources_and_policies() -> None:
    assert [str(label) for label in Event.Outcome.labels] == [
        *("Wartend", "In Zustellung", "Erfolgreich", "Fehlgeschlagen", "Protokolliert", "Übersprungen")
    ]
    assert [str(label) for label in Event.Source.labels] == ["Zeitplan", "API", "Test", "Wiederholung"]
    assert str(Trigger.MissedPolicy.RUN_ONCE.label) == "Danach einmal auslösen"


def test_a_trigger_that_can_never_fire() -> None:
    with pytest.raises(ValidationError) as caught:
        make_trigger(schedule_type="date", schedule_value="2020-01-01T00:00", now=NOW)

    words = "2020-01-01 00:00 in UTC ist vorbei. Geben Sie ein späteres Datum mit Uhrzeit an."
    assert caught.value.message_dict["schedule_value"] == [words]


def test_what_might_surprise() -> None:
    trigger = make_trigger(schedule_value="1", payload={}, now=NOW)
    (finding,) = doctor.examine(trigger, NOW)

    assert finding.words.startswith("Etwa 86.400 Ereignisse am Tag. Über 48 h aufbewahrt sind das 172.800 Zeilen")


def test_what_the_page_of_a_trigger_says() -> None:
    trigger = make_trigger(api_endpoint="https://example.com", max_fires=20_000, most_at_once=5, now=NOW)
    trigger.fired_count, trigger.missed_count = 2874, 6

    outlook = previews.outlook(trigger, NOW, 1)
    assert outlook.bounds == "Höchstens 20.000 Auslösungen."
    assert [fire.words for fire in outlook.fires] == ["Heute, 13:46"]
    assert ledgers.in_words(trigger, NOW).endswith(": 2.880 fällig, 2.874 ausgelöst, 6 verpasst (Server stand).")
    facts = {fact.label: fact.words for fact in deliveries.facts(trigger, NOW)}
    assert facts["Timeout"] == "10 s, wie der Server"
    assert facts["Grenzen"] == "5 Anfragen gleichzeitig"


def test_the_form_says_what_is_wrong_and_what_stands_under_advanced() -> None:
    fields = {"type": "scheduled", "schedule_type": "fixed_interval", "every": "31622401", "unit": "1"}
    form = TriggerForm(fields | {"max_fires": "1000", "most_at_once": "0", "api_endpoint": "example.com"}, now=NOW)

    errors = {name: str(words[0]) for name, words in form.errors.items()}
    assert errors["every"] == "Geben Sie 1 bis 31.622.400 Sekunden an, oder eine Dauer wie 1 h 30 min."
    assert errors["most_at_once"] == "Geben Sie eine ganze Zahl von 1 bis 1.000 an, oder lassen Sie das Feld leer."
    assert errors["api_endpoint"] == "Geben Sie eine Adresse an, die mit http:// oder https:// beginnt."
    assert form.advanced_in_words == "ohne Ende, höchstens 1.000 Auslösungen, nicht verteilt"
    assert form.fields["missed_policy"].label == "Wenn eine Auslösung verpasst wurde"


def test_a_trigger_without_a_name_is_named_in_the_language_of_whoever_makes_it() -> None:
    assert make_trigger(schedule_value="900").name == "Alle 15 min"
    assert definition.schedule_in_words(make_trigger(type=Trigger.Type.API)) == "Bei Aufruf"


def test_the_page_of_a_trigger_speaks_german(signed_in: Client) -> None:
    trigger = make_trigger(schedule_type="cron", schedule_value="0 9 * * 1-5", not_after=NOW + timedelta(days=36_500))
    page = signed_in.get(reverse("trigger-detail", args=[trigger.pk]), headers={"Accept-Language": "de"}).text

    assert "Montag bis Freitag um 09:00" in page
    assert "Danach einmal auslösen" in page
    assert "Monday" not in page


def test_a_change_of_retries_is_said_without_when_it_gives_up() -> None:
    trigger = make_trigger(api_endpoint="https://example.org/")
    definition.change(trigger.pk, {"retry_delays": [30, 120]}, NOW)
    line = histories.of(Trigger.objects.get(), NOW, 5).changes[0].lines[0]
    assert line.new == "2, nach 30 s und 2 min"


def test_the_days_of_the_form_are_shortened_as_german_does(signed_in: Client) -> None:
    page = signed_in.get(reverse("trigger-create"), headers={"Accept-Language": "de"}).text
    shown = re.findall(
        r'<span aria-hidden="true">(\w+\.?)</span><span class="visually-hidden">\w+tag|'
        r'<span aria-hidden="true">(\w+\.?)</span><span class="visually-hidden">Mittwoch',
        page,
    )
    assert [first or second for first, second in shown] == ["Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"]
