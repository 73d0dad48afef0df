"""Which tests run on one worker, because they share something that is dear to make: a browser, a trained pipeline.

xdist 3.8 has a mark for it, whose name pytest 9.2 no longer lets it write into a test's id; so the files are named here.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

TOGETHER = {
    "tests/browser/": "browser",
    "tests/sandbox/slack/test_page.py": "browser",
    "tests/examples/": "bike-demand",
    "tests/contracts/test_third_party_verification.py": "sigstore",
    "tests/e2e/queries/test_lineage.py": "training-repository",
    "tests/commands/test_register.py": "training-repository",
    "tests/compat/": "oldest-mlflow",
    "tests/e2e/registry/test_doubts.py": "second-registry",
    "tests/guard/": "guarded-registry",
}


class Together(LoadScopeScheduling):
    """Every other test goes to a free worker; groups go first, the largest before the others."""

    def _split_scope(self, nodeid: str) -> str:
        return next((group for path, group in TOGETHER.items() if nodeid.startswith(path)), nodeid)
