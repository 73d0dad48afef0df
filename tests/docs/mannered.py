"""The words that slow a reader down, and that pages, docstrings and comments therefore avoid. Shared by the tests of plain English."""

from __future__ import annotations

import re

MANNERED = re.compile(
    r"""\b(
    nobody(?:'s)? | whoever | whomever | whatever | whichever | told | tells? | telling | mend(?:s|ed|ing)? | speaks?\ (?:of|for)
    | stands? | standing | stood | brought\ along | brings?\ along | wish(?:es|ed)? | in\ so\ many\ words | of\ (?:its|their|his|her)\ own
    | deeds? | thaws? | whispers? | nought | glances? | hitherto | thereof | lies | upon | besides | in\ vain | anew | at\ hand
    )\b""",
    re.VERBOSE | re.IGNORECASE,
)
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def mannered(text: str) -> list[str]:
    """Every such word in prose, in order. Code blocks and `code` are left out."""
    return [found.group() for found in MANNERED.finditer(CODE.sub("", text))]
