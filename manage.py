#!/usr/bin/env python3
"""The command line of the project: `manage.py help` lists the commands."""

from __future__ import annotations

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import DatabaseError, InterfaceError

from triggers import faults

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # A malformed variable, mostly: its name and what is allowed say more than a trace.
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"The server cannot start: {error}")
    except (DatabaseError, InterfaceError) as error:
        fault = faults.fault_of(error)
        if fault is None or "--traceback" in sys.argv:
            raise
        sys.exit(f"{fault.words} {fault.remedy} [{error}]")
