"""People come and go: sign in, sign out, a new password."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView, PasswordResetConfirmView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _

from dashboard import people, setup_token
from dashboard.forms import FirstPasswordForm, NewPasswordForm, SignInForm
from dashboard.models import User
from dashboard.permissions import Permission, allows


@method_decorator(login_not_required, name="dispatch")  # Django's own mark is on the dispatch that ours replaces
class SignIn(LoginView):
    template_name = "accounts/login.html"
    form_class = SignInForm
    redirect_authenticated_user = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if setup_token.is_needed():
            return redirect("setup")
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        if not form.cleaned_data["keep"]:
            self.request.session.set_expiry(0)  # until the browser is closed
        return response


class SignOut(LogoutView):
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        response = super().post(request, *args, **kwargs)
        messages.success(request, _("You are signed out."))
        return response


@method_decorator(allows(Permission.OWN), name="dispatch")
class NewPassword(PasswordChangeView):
    template_name = "accounts/password.html"
    form_class = NewPasswordForm
    success_url = reverse_lazy("overview")

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, _("Password changed. You stay signed in here, and nowhere else."))
        return super().form_valid(form)


class Invitation(PasswordResetConfirmView):
    """Who has the link chooses a password, once, and is signed in. (Django takes the token out of the address.)"""

    template_name = "accounts/invitation.html"
    form_class = FirstPasswordForm
    token_generator = people.tokens
    post_reset_login = True
    post_reset_login_backend = "django.contrib.auth.backends.ModelBackend"
    success_url = reverse_lazy("overview")

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        if not self.validlink:
            kwargs["status"] = 410
        elif context["form"].errors:
            kwargs["status"] = 422
        return super().render_to_response(context, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        with transaction.atomic():
            # Whoever switches the person off, or makes another link, comes before this or after it.
            held = User.objects.select_for_update().get(pk=form.user.pk)
            if not held.is_active or held.invited_at != form.user.invited_at:
                self.validlink = False
                return self.render_to_response(self.get_context_data())
            form.user.invited_at = None  # the form saves it, with the password
            messages.success(self.request, _("Welcome, %(name)s. Your password is set.") % {"name": form.user.called})
            return super().form_valid(form)


def locked_out(request: HttpRequest, response: HttpResponse | None, credentials: Any) -> HttpResponse:
    """Say when the next try is allowed; django-axes calls this instead of the view's own answer."""
    wait = settings.AXES_COOLOFF_TIME
    words = {"form": SignInForm(request), "allowed_at": timezone.now() + wait}
    answer = render(request, "accounts/login.html", words, status=429)
    answer["Retry-After"] = str(round(wait.total_seconds()))
    return answer
