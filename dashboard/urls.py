"""Every address of the server, grouped by its path."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView

from dashboard.views import (
    accounts,
    api_keys,
    errors,
    events,
    health,
    jump,
    overview,
    people,
    preferences,
    replays,
    setup,
    shell,
    sink,
    trigger_bulk,
    trigger_form,
    triggers,
    upcoming,
)

# /dashboard/triggers/
trigger_urls = [
    path("", triggers.index, name="trigger-list"),
    path("upcoming/", upcoming.index, name="trigger-upcoming"),
    path("live/", triggers.live, name="trigger-live"),
    path("examples/", triggers.add_examples, name="trigger-examples"),
    path("bulk/switch/", trigger_bulk.switch, name="trigger-bulk-switch"),
    path("bulk/test/", trigger_bulk.test, name="trigger-bulk-test"),
    path("bulk/delete/", trigger_bulk.delete, name="trigger-bulk-delete"),
    path("bulk/<int:pk>/", trigger_bulk.detail, name="trigger-bulk"),
    path("bulk/<int:pk>/undo/", trigger_bulk.undo, name="trigger-bulk-undo"),
    path("new/", trigger_form.create, name="trigger-create"),
    path("preview/", trigger_form.preview, name="trigger-preview"),
    path("draft-test/", trigger_form.draft_test, name="trigger-draft-test"),
    path("draft-test/<int:event_pk>/", trigger_form.draft_test_result, name="trigger-draft-test-result"),
    path("<int:pk>/", triggers.detail, name="trigger-detail"),
    path("<int:pk>/changes/", triggers.changes, name="trigger-changes"),
    path("<int:pk>/edit/", trigger_form.edit, name="trigger-edit"),
    path("<int:pk>/switch/", triggers.switch, name="trigger-switch"),
    path("<int:pk>/curl/", triggers.curl, name="trigger-curl"),
    path("<int:pk>/test/", triggers.test, name="trigger-test"),
    path("<int:pk>/test/<int:event_pk>/", triggers.test_result, name="trigger-test-result"),
    path("<int:pk>/fire/", triggers.fire, name="trigger-fire"),
    path("<int:pk>/replace-secret/", triggers.replace_secret, name="trigger-replace-secret"),
    path("<int:pk>/delete/", triggers.delete, name="trigger-delete"),
]

# /dashboard/events/
event_urls = [
    path("", events.index, name="event-log"),
    path("export/", events.export, name="event-export"),
    path("<int:pk>/", events.detail, name="event-detail"),
    path("<int:pk>/attempts/<int:number>/curl/", events.curl, name="event-curl"),
    path("<int:pk>/attempts/<int:number>/request-body/", events.request_body, name="event-request-body"),
    path("<int:pk>/retry/", events.retry, name="event-retry"),
    path("<int:pk>/give-up/", events.give_up, name="event-give-up"),
    path("<int:pk>/replay/", replays.replay_one, name="event-replay"),
    path("failed/", replays.failed, name="failed-list"),
    path("failed/replay/", replays.replay_many, name="failed-replay"),
]

# /dashboard/replays/
replay_urls = [
    path("<int:pk>/", replays.detail, name="replay-detail"),
    path("<int:pk>/cancel/", replays.cancel, name="replay-cancel"),
]

# /dashboard/sink/
sink_urls = [
    path("", sink.index, name="sink"),
    path("<int:pk>/", sink.detail, name="sink-request"),
    path("answer/", sink.set_answer, name="sink-answer"),
    path("clear/", sink.clear, name="sink-clear"),
    path("new-address/", sink.move, name="sink-move"),
]

# /dashboard/api-keys/
key_urls = [
    path("", api_keys.index, name="key-list"),
    path("new/", api_keys.create, name="key-create"),
    path("new/triggers/", api_keys.triggers, name="key-triggers"),
    path("<int:pk>/rotate/", api_keys.rotate, name="key-rotate"),
    path("<int:pk>/revoke/", api_keys.revoke, name="key-revoke"),
]

# /dashboard/people/
people_urls = [
    path("", people.index, name="people-list"),
    path("new/", people.add, name="people-add"),
    path("<int:pk>/", people.edit, name="people-edit"),
    path("<int:pk>/invite/", people.invite, name="people-invite"),
    path("<int:pk>/switch-off/", people.switch_off, name="people-switch-off"),
    path("<int:pk>/switch-on/", people.switch_on, name="people-switch-on"),
]

# /dashboard/
dashboard_urls: list[URLPattern | URLResolver] = [
    path("", overview.index, name="overview"),
    path("parts/<slug:name>/", overview.part, name="overview-part"),
    path("jump/", jump.jump, name="jump"),
    path("health/", health.index, name="health"),
    path("health/text/", health.report, name="health-text"),
    path("dispatcher/", shell.dispatcher, name="dispatcher"),
    path("theme/", shell.set_theme, name="theme-set"),
    path("settings/", preferences.preferences, name="settings"),
    path("password/", accounts.NewPassword.as_view(), name="password-change"),
    path("triggers/", include(trigger_urls)),
    path("events/", include(event_urls)),
    path("sink/", include(sink_urls)),
    path("replays/", include(replay_urls)),
    path("api-keys/", include(key_urls)),
    path("people/", include(people_urls)),
]

urlpatterns: list[URLPattern | URLResolver] = [
    # Before there is a session.
    path("setup", setup.setup, name="setup"),
    path("setup/checks", setup.check_again, name="setup-checks"),
    path("login", accounts.SignIn.as_view(), name="login"),
    path("invitation/<uidb64>/<token>/", accounts.Invitation.as_view(), name="invitation"),
    path("logout", accounts.SignOut.as_view(), name="logout"),
    path("words/<slug:language>.<slug:version>.js", shell.words, name="words"),
    # The pages.
    path("", RedirectView.as_view(pattern_name="overview"), name="home"),
    path("dashboard/", include(dashboard_urls)),
    # Test receivers. Whatever stands here is answered plainly, never by a page.
    re_path(r"^sink/(?P<token>[\s\S]*)$", sink.receive, name="sink-receive"),
    # The API, at the server's root.
    path("", include("dashboard.api.root")),
]

handler403 = errors.forbidden
handler500 = errors.server_error
