"""What people fill in.

triggers    a trigger: what it is called, when it fires, and from delivery: where to, and how
delivery    the part about where and how, and from headers: a row for each header
api_keys    a new API key, and one in place of another
people      the first account, signing in, a new password, who else may sign in
settings    how pages look to a person
sinks       what a test receiver answers
replays     how many events are fired again
zones       the time zones to choose from
"""

from __future__ import annotations

from dashboard.forms.api_keys import ApiKeyForm, RotateForm
from dashboard.forms.people import FirstPasswordForm, NewPasswordForm, PersonForm, SetupForm, SignInForm
from dashboard.forms.replays import ReplayForm
from dashboard.forms.settings import SettingsForm
from dashboard.forms.sinks import SinkForm
from dashboard.forms.triggers import TriggerForm

__all__ = [
    "ApiKeyForm",
    "FirstPasswordForm",
    "NewPasswordForm",
    "PersonForm",
    "ReplayForm",
    "RotateForm",
    "SettingsForm",
    "SetupForm",
    "SignInForm",
    "SinkForm",
    "TriggerForm",
]
