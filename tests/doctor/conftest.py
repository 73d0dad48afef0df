"""What only the commands' tests share."""

from __future__ import annotations

from tests.fixtures.doctor_world import install, installed

__all__ = ["install", "installed"]
