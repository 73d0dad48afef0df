"""What only the commands' tests share."""

from __future__ import annotations

from tests.fixtures.doctor_world import installation, installed

__all__ = ["installation", "installed"]
