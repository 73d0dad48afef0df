"""An address that no policy takes is asked for again, and does not end the questions."""

from __future__ import annotations

import pytest

from bot.errors import InvalidSettings
from bot.init.choosing import check_address


@pytest.mark.parametrize("odd", ["root", "root@", "@example.com", "a b@example.com", "root@example.com\nX=1"])
def test_what_is_no_address_is_refused_at_once(odd: str) -> None:
    with pytest.raises(InvalidSettings, match="is no e-mail address"):
        check_address(odd)


def test_an_address_is_taken() -> None:
    check_address("bea@example.com")
