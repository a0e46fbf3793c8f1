"""The forms of people: the first account, signing in, a new password, and who else may sign in."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import password_validation
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm, SetPasswordForm, UsernameField
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from dashboard.models import User

PASSWORD_RULES = _("At least 8 characters; not a common one, not only digits, not like your name.")


class SetupForm(forms.Form):
    """The first account, and whether to begin with examples."""

    username = forms.CharField(
        label=_("Username"),
        max_length=150,
        help_text=_("You sign in with it."),
        error_messages={"required": _("Choose a name to sign in with.")},
        widget=forms.TextInput(
            attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false", "autofocus": True}
        ),
    )
    email = forms.EmailField(
        label=_("Email"),
        max_length=254,
        error_messages={"required": _("Fill in your address.")},
        widget=forms.EmailInput(attrs={"autocomplete": "email", "spellcheck": "false"}),
    )
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=4096,
        help_text=PASSWORD_RULES,
        error_messages={"required": _("Choose a password.")},
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}, render_value=False),
    )
    # Filled in by the page's script: what the browser says of itself.
    browser_zone = forms.CharField(
        max_length=64, required=False, widget=forms.HiddenInput(attrs={"data-browser-zone": ""})
    )
    with_examples = forms.BooleanField(label=_("Add three example triggers"), required=False, initial=True)

    def clean_username(self) -> str:
        username: str = User.normalize_username(self.cleaned_data["username"])
        User._meta.get_field("username").run_validators(username)
        return username

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if "password" in cleaned:
            person = User(username=cleaned.get("username", ""), email=cleaned.get("email", ""))
            try:
                password_validation.validate_password(cleaned["password"], person)
            except ValidationError as error:
                self.add_error("password", error)
        return cleaned


class SignInForm(AuthenticationForm):
    """Name and password, and for how long."""

    error_messages = {
        "invalid_login": _("The username or the password is wrong. Both mind capitals."),
        "inactive": _("This account is switched off. Ask whoever runs this server."),
    }
    keep = forms.BooleanField(label=_("Keep me signed in for 14 days"), required=False, initial=True)


class _PasswordAlone:
    """Saves the password and nothing else of a row that was read a while ago.

    Django writes the whole row back: whom an administrator has switched off meanwhile would be on again.
    """

    cleaned_data: dict[str, Any]
    SAVED: tuple[str, ...] = ("password",)

    def set_password_and_save(
        self,
        user: User,
        password_field_name: str = "password1",  # noqa: S107 (the name of a field)
        commit: bool = True,
    ) -> User:
        user.set_password(self.cleaned_data[password_field_name])
        if commit:
            user.save(update_fields=self.SAVED)
        return user


class NewPasswordForm(_PasswordAlone, PasswordChangeForm):
    """The old password, and the new one twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["new_password1"].help_text = PASSWORD_RULES
        self.fields["new_password2"].label = _("New password, once more")
        self.fields["new_password2"].help_text = ""


class FirstPasswordForm(_PasswordAlone, SetPasswordForm):  # type: ignore[type-arg]  # it takes none while it runs
    """The password of a person who was invited, twice."""

    SAVED = ("password", "invited_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["new_password1"].help_text = PASSWORD_RULES
        self.fields["new_password2"].label = _("New password, once more")
        self.fields["new_password2"].help_text = ""


class PersonForm(forms.ModelForm):  # type: ignore[type-arg]  # it takes none while it runs
    """Who a person is, and the role that they have."""

    class Meta:
        model = User
        fields = ("username", "first_name", "email", "role")
        field_classes = {"username": UsernameField}
        labels = {"first_name": _("Name"), "email": _("Email"), "role": _("Role")}
        help_texts = {
            "username": _("They sign in with it."),
            "first_name": _("What others see. Empty: the name that they sign in with."),
            "email": _("So that others can reach them; this server sends no mail."),
        }
        error_messages = {
            "username": {
                "required": _("Choose a name to sign in with."),
                "unique": _("This name is taken. Choose another one."),
            },
        }
        widgets = {
            "username": forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
            "first_name": forms.TextInput(attrs={"autocomplete": "off"}),
            "email": forms.EmailInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
            "role": forms.RadioSelect,
        }
