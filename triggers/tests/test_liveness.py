"""Signs between the processes of a cluster."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from triggers import liveness


def test_a_clock_that_is_set_makes_no_sign_older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(liveness.FOLDER_VARIABLE, str(tmp_path))
    assert liveness.age(tmp_path, "alive") == float("inf")

    liveness.show_life()

    set_forward = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: set_forward)
    assert 0 <= liveness.age(tmp_path, "alive") < 60
