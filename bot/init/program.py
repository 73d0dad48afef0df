"""What `countersign init` is about to write, decided before anything is written."""

from __future__ import annotations

import difflib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from bot.assembly import make_missing_keys, signer_of
from bot.clients.mlflow.checkup import WEBHOOKS, missing
from bot.domain.names import without_accounts
from bot.domain.policy.rules import Policy
from bot.errors import InvalidSettings
from bot.init import env_file, git
from bot.init.choosing import Choosing
from bot.init.connecting import CARRIED, Connecting, World, settings_from
from bot.init.draft import PolicyDraft
from bot.init.existing import completed
from bot.init.folder import IGNORE_FILE, NewFile, check_stays, check_writable, ignoring, text_in, write_all
from bot.init.given import PolicyAnswers
from bot.init.next_steps import as_table, tasks
from bot.init.questions import Questions
from bot.init.starter_policy import SCHEMA_FILE, starter_policy
from bot.links import KEY_FILE as LINK_KEY
from config.policy import PolicyMistakes, notices, read_policy
from config.settings import Settings

ENV_FILE, POLICY_FILE, PUBLIC_KEY_FILE = "countersign.env", "policy.yaml", "countersign.pub"


@dataclass(frozen=True)
class Wanted:
    """What was said: `values` of settings on the command line, `environ` of the process."""

    values: Mapping[str, str]
    environ: Mapping[str, str]
    policy: PolicyAnswers
    with_jira: bool | None
    force: bool
    folder: Path = Path()


@dataclass(frozen=True)
class Plan:
    """`values` are all settings, also those that were there; `draft` is None where the policy is kept."""

    values: Mapping[str, str]
    files: tuple[NewFile, ...]
    said: tuple[str, ...]
    draft: PolicyDraft | None
    lacks: Mapping[str, str] = field(default_factory=dict)
    mlflow: str = ""

    def write(self, folder: Path = Path()) -> list[str]:
        """Makes the keys that are missing, then all files at once. Returns what was done. Raises InvalidSettings."""
        settings = settings_from(self.values)
        keys = keys_in(settings, folder)
        check_stays(folder, [*(file.path for file in self.files), *keys, folder / PUBLIC_KEY_FILE])
        self._ignore_secrets(folder, keys)
        make_missing_keys(settings)
        public_key = NewFile(folder / PUBLIC_KEY_FILE, signer_of(settings).key.pem)
        new = [file for file in (*self.files, public_key) if not file.is_there]
        write_all(new)
        kept = f"{settings.signing_key_location}: the private key that signs approvals; keep a copy where only you can read it"
        return [*(f"{file.path}: written" for file in new), kept]

    def _ignore_secrets(self, folder: Path, keys: Iterable[Path]) -> None:
        """Writes .gitignore first and asks git. Raises InvalidSettings, and then it is as it was."""
        path = folder / IGNORE_FILE
        before = text_in(path) if path.exists() else None
        write_all([file for file in self.files if file.path == path])
        try:
            git.check_ignored([*(secret for file in self.files for secret in file.secret_paths), *keys])
        except InvalidSettings:
            if before is None:
                path.unlink(missing_ok=True)
            else:
                write_all([NewFile(path, before)])
            raise

    def who_does_what(self) -> str:
        address = self.values.get("COUNTERSIGN_URL", "")
        return as_table(list(tasks(self.draft, self.lacks, self.mlflow, address, PUBLIC_KEY_FILE)))


def keys_in(settings: Settings, folder: Path) -> tuple[Path, ...]:
    """The files with keys that `write` makes. One that a setting names is the operator's."""
    made = [] if settings.signing_key else [Path(settings.signing_key_location)]
    made += [] if settings.checkpoint_key else [settings.checkpoint_key_path]
    made += [] if settings.link_keys else [settings.home / LINK_KEY]
    return tuple(folder / path for path in made)


def plan(wanted: Wanted, ask: Questions) -> Plan:
    """Raises InvalidSettings, PolicyMistakes and OutsideError; nothing has changed then."""
    folder = wanted.folder
    check_writable(folder)
    check_stays(folder, [folder / name for name in (ENV_FILE, PUBLIC_KEY_FILE, IGNORE_FILE)])
    git.check_not_tracked([folder / ENV_FILE])
    ignored = ignoring(folder)
    if ignored is None:
        git.check_ignored([folder / ENV_FILE])
    env_text = text_in(folder / ENV_FILE)
    kept = env_file.values_in(env_text, ENV_FILE)
    carried = {name: text for name in CARRIED if (text := wanted.environ.get(name, "").strip())}
    filled = {name: text for name, text in kept.items() if text}  # an empty one hides none of the shell's
    values = {**carried, **filled, **wanted.values}
    path = folder / values.get("COUNTERSIGN_POLICY", POLICY_FILE)
    existing = text_in(path)
    known = _known(existing, path, wanted)
    is_kept = known is not None and not wanted.policy.has_any and not wanted.force
    answers = completed(wanted.policy, known) if known is not None else wanted.policy
    lacking, perhaps = ((), ()) if is_kept else _lacking_in(answers)
    world = Connecting(values, ask, with_jira=wanted.with_jira, lacking=lacking, perhaps_lacking=perhaps).connect()
    said = list(_another_registry(kept, world))
    check_stays(folder, [path, path.parent / SCHEMA_FILE, *keys_in(world.settings, folder)])
    policy, chosen_said, draft, lacks = _policy(path, existing, world, None if is_kept else answers, wanted, ask)
    values = {**world.values, **_made_up(world, path, kept, folder)}
    changed = env_file.changed(env_text, {name: values[name] for name in values if name in CARRIED}, ENV_FILE)
    new = [NewFile(folder / ENV_FILE, changed, is_secret=True), *policy, *([ignored] if ignored else [])]
    return Plan(values, tuple(new), (*said, *chosen_said), draft, lacks, world.registry.version)


def _lacking_in(answers: PolicyAnswers) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a new policy needs to be told, and what it perhaps needs, as far as that is known before anything is asked."""
    approvers = () if answers.approvers else ("--approvers is needed: @GROUP or e-mail addresses.",)
    asked = {"--models": answers.models, "--channel": answers.channel}
    unsaid = " and ".join(option for option, said in asked.items() if not said)
    perhaps = (f"{unsaid}: needed too, unless there is one alone to propose.",) if unsaid else ()
    return approvers, perhaps


def _policy(
    path: Path, existing: str, world: World, answers: PolicyAnswers | None, wanted: Wanted, ask: Questions
) -> tuple[list[NewFile], tuple[str, ...], PolicyDraft | None, Mapping[str, str]]:
    """`existing` is kept where there are no answers."""
    schema = NewFile(path.parent / SCHEMA_FILE, files("config").joinpath(SCHEMA_FILE).read_text(encoding="utf-8"))
    if answers is None:
        return [schema], (f"{path} is kept as it is.",), None, {}
    chosen = Choosing(world, answers, ask, () if wanted.policy.models else answers.models).choose()
    if ask.missing:
        raise InvalidSettings(tuple(ask.missing))
    text = starter_policy(chosen.draft)
    read_policy(text, f"the proposed {path}")
    said = (*chosen.notices, *(notice.sentence for notice in notices(text, str(path))))
    if existing and existing != text and not _may_replace(path, existing, text, wanted, ask):
        return [schema], (*said, f"{path} is kept as it is."), None, chosen.lacks
    return [NewFile(path, text), schema], said, chosen.draft, chosen.lacks


def _known(existing: str, path: Path, wanted: Wanted) -> Policy | None:
    """None when there is none yet. Raises PolicyMistakes, unless the file is to be replaced anyway."""
    if not existing:
        return None
    try:
        return read_policy(existing, str(path))
    except PolicyMistakes:
        if not wanted.force:
            raise
        return None


def _may_replace(path: Path, existing: str, text: str, wanted: Wanted, ask: Questions) -> bool:
    """Shows the difference. Raises InvalidSettings in a script without --force."""
    diff = difflib.unified_diff(existing.splitlines(), text.splitlines(), str(path), f"{path} as proposed", lineterm="")
    ask.say("\n".join(diff))
    if wanted.force:
        return True
    if ask.is_terminal:
        return ask.agreed(f"Replace {path}? Your comments and changes in it would be lost", proposal=False)
    raise InvalidSettings(
        (f"{path} is there and differs, as shown above. Edit it by hand, or replace it with --force.",)
    )


def _made_up(world: World, path: Path, kept: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Settings that no one has to think of. Whole paths, for a shell, systemd and cron may start elsewhere; one that is there stays.

    Without COUNTERSIGN_HOME a `serve` in another directory would be a second bot, with a database and keys of its own.
    """
    made = {
        "COUNTERSIGN_POLICY": kept.get("COUNTERSIGN_POLICY") or str(path.absolute()),
        "COUNTERSIGN_HOME": kept.get("COUNTERSIGN_HOME") or str((folder / world.settings.home).absolute()),
    }
    has_webhooks = WEBHOOKS not in missing(world.registry.version)
    if world.values.get("COUNTERSIGN_URL") and has_webhooks and "MLFLOW_WEBHOOK_SECRET" not in world.values:
        made["MLFLOW_WEBHOOK_SECRET"] = secrets.token_urlsafe(32)
    return made


def _another_registry(kept: Mapping[str, str], world: World) -> tuple[str, ...]:
    before, now = (
        without_accounts(kept.get("MLFLOW_TRACKING_URI", "")),
        without_accounts(world.values["MLFLOW_TRACKING_URI"]),
    )
    if not before or before == now:
        return ()
    return (
        f"MLFLOW_TRACKING_URI was {before} and is now {now}. If that is another registry, the bot stops until you accept it "
        "(`countersign registry accept`). To watch both, keep the first, and name the second under `registries` in the policy.",
    )
