"""What `register` works on: the local repository, its pipeline, and the run on the server."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bot.clients.mlflow.provenance import BOUND_COMMIT, CODE_COMMIT, MLFLOW_COMMIT
from bot.domain.evidence.dvc_lock import LOCK, Entry, Lock, of_pipeline
from bot.domain.evidence.training_commands import Commands
from bot.dvc.files import is_import
from bot.register.findings import Fixes
from bot.register.pipeline import Dvc, Pipeline, md5_of
from bot.register.repository import Repository
from bot.register.run import TrainedRun


@dataclass(frozen=True)
class Workbench:
    """The local repository and the run on the server. `pipeline` is None without a dvc.lock."""

    repository: Repository
    pipeline: Pipeline | None
    dvc: Dvc
    run_file: str
    run: TrainedRun

    @property
    def code_commit(self) -> str:
        """The commit that the training ran from, from the tag that the training or MLflow set."""
        own = "" if self.run.is_registered else self.run.tag(BOUND_COMMIT)  # a training may set it, before we do
        return self.run.tag(CODE_COMMIT) or self.run.tag(MLFLOW_COMMIT) or own

    @property
    def commit(self) -> str:
        """The commit that pins the run: HEAD with its dvc.lock; without one, the commit of the code."""
        return self.repository.head if self.pipeline else self.code_commit

    @property
    def fixes(self) -> Fixes:
        lock = self.pipeline.lock if self.pipeline else Lock(())
        commands = Commands.beside(self.lock_path, lock.frozen_writers(pinned_md5(self), self.run_file))
        return Fixes(commands, self.repository.push_command, has_dvc=self.pipeline is not None)

    @property
    def lock_path(self) -> str:
        return self.repository.from_top(self.repository.folder / LOCK)

    def own(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Those that are the pipeline's; all without one."""
        lock = self.pipeline.lock if self.pipeline else Lock(())
        return of_pipeline(paths, lock, self.lock_path, self.repository.pipelines())

    @property
    def source_data(self) -> tuple[Entry, ...]:
        """Sources in the lock without those that git tracks, which are code."""
        sources = self.pipeline.lock.sources if self.pipeline else ()
        return tuple(source for source in sources if not self.repository.tracks(source.path))

    def imports(self) -> tuple[Path, ...]:
        """The .dvc files of source data that `dvc import` or `import-url` brought: they name its address and its revision."""
        places = ((self.repository.folder / one.path).resolve() for one in self.source_data if "://" not in one.path)
        top = self.repository.top.resolve()
        above = (parent for place in places for parent in (place, *place.parents) if parent.is_relative_to(top))
        files = dict.fromkeys(parent.with_name(f"{parent.name}.dvc") for parent in above if parent != top)
        return tuple(path for path in files if path.is_file() and is_import(path.read_text(encoding="utf-8")))

    @property
    def data_md5(self) -> str:
        """The md5s in the format of `md5sum`."""
        return "\n".join(f"{entry.md5}  {entry.path}" for entry in self.source_data)


def pinned_md5(bench: Workbench) -> str:
    """Of the file that names the run; empty without one."""
    path = bench.repository.folder / bench.run_file
    return md5_of(path) if path.is_file() else ""
