"""A separate program: reads a task as JSON, renders it with Typst, writes the PDF. `bot.reports.typst_process` runs it.

Typst keeps its caches, up to 100 MB for a large report, until the process ends, so each report has its own process. It imports nothing
from Countersign.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime

REFUSED = 65


def main() -> None:
    import typst  # imported here, so that importing this module does not load it

    task = json.load(sys.stdin)
    try:
        pdf = typst.compile(
            task["template"],
            root=".",
            format="pdf",
            font_paths=[task["fonts"]],
            package_path=task["packages"],
            package_cache_path=task["packages"],
            sys_inputs=task["inputs"],
            pdf_standards="ua-1",
            timestamp=datetime.fromisoformat(task["at"]),
        )
    except typst.TypstError as refusal:
        json.dump({"message": refusal.message, "diagnostic": refusal.diagnostic}, sys.stdout)
        sys.exit(REFUSED)
    sys.stdout.buffer.write(pdf)


if __name__ == "__main__":
    main()
