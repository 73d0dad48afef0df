"""Every error of Countersign's own, in one tree.

CountersignError
|- Refused                one of our rules says no; the person reads the text
|  |- AlreadyDecided, OwnRequest    (bot.domain.request.lifecycle)
|  |- VoterUnknown                  (handlers.request.voters)
|  |- NotFound             what was named is not there
|  `- JobRefused
|- InvalidInput           an input cannot be used; the text says what, which and how to fix it
|  |- InvalidSettings, InvalidPolicy, InvalidKey
|  |- InvalidStatement, InvalidCheckpoint, InvalidProof
|  |- InvalidDvcFile, UnsafePath, TooLarge, TypstFailed
|  `- Rejected            a delivery that must not be believed
|- OutsideError           a vendor did not do what we asked
|  |- Temporary           try again
|  |  |- MessageGone      the message was deleted at the notifier: post it anew, then try again
|  |  `- NotYet           nothing failed: its turn comes later
|  |- Permanent           a person must fix it
|  |  |- TooManyHidden     there are more versions than can be read one by one
|  |  |- NoWay             no transition leads the ticket there
|  |  `- ChartRefused      the notifier takes no charts: send a picture instead
|  `- OutcomeUnknown      the answer to a write was lost
|- NotProven              evidence does not hold
|  |- NotVerified (AssertionRefused), ChainBroken, RolesNotApart
|  |- OtherFiles           the files are not those that were approved
|  `- NotAllowed          (bot.domain.attestation.gate)
|- NotRead                bytes or answers that could not be had
|  |- FilesUnread, NotFetched, NotOnRemote, NoAnswer
`- NotReady               this machine is not ready
   `- NoDatabase, AlreadyRunning, DemoFailed, ServerFailed (bot.sandbox.mlflow_server)
"""

from __future__ import annotations

import re

FORBIDDEN, GONE = 403, 410  # HTTP statuses of Rejected


OF_RETRIES = re.compile(
    r" (?:It|This one) (?:will be|is) tried again\.|; it will be tried again(?=\.)|; waiting as long as it asked(?=\.)|"
    r"It will be tried again; (?=if it stays so)"
)


def without_retries(text: str) -> str:
    """What an OutsideError says, without what only a worker does: a command that runs once tries nothing again."""
    return OF_RETRIES.sub("", text).replace(" if it stays so, ", " If it stays so, ")


OF_REPLAYS = re.compile(r"[.;,]? (?:[Tt]hen|and) replay (?:the|this) job\.?$")


def without_replay(text: str) -> str:
    """What an OutsideError says, without its last words to whoever finds the job parked."""
    return OF_REPLAYS.sub(".", text)


class CountersignError(Exception):
    """The root. The text is for people: what happened, to what, and what to do next."""


class Refused(CountersignError):
    """One of our rules says no. The person reads the text as it is."""


class JobRefused(Refused):
    """The job's status does not allow this."""


class NotFound(Refused):
    """What was named is not there: a request, a job, a key, a person, a model or a version."""


class InvalidInput(CountersignError):
    """Settings, a file, a key or a message that cannot be used."""


class InvalidSettings(InvalidInput):
    """All mistakes in the environment, one sentence each; never with a secret in it."""

    def __init__(self, mistakes: tuple[str, ...]) -> None:
        super().__init__(mistakes)
        self.mistakes = mistakes

    def __str__(self) -> str:
        return "\n".join(self.mistakes)


class InvalidPolicy(InvalidInput):
    """A text that is not a valid policy. str() has one line per mistake; `source` is the text's name in them."""

    source: str


class InvalidKey(InvalidInput):
    """A key that cannot be read or used; the text says why, and what to do."""


class KeyExposed(InvalidKey):
    """A key file that others can read or replace; the text names the commands to run."""


class InvalidStatement(InvalidInput):
    """A statement that Countersign does not write; the text completes "it ..."."""


class InvalidCheckpoint(InvalidInput):
    """A text that holds no checkpoint of ours."""


class InvalidProof(InvalidInput):
    """A text that is no proof of ours."""


class InvalidDvcFile(InvalidInput):
    """A text that DVC does not write; the text completes "dvc.lock ..."."""


class UnsafePath(InvalidInput):
    """A path that is not plainly inside the version's folder; the text says which, and lacks its full stop."""


class TooLarge(InvalidInput):
    """There are more bytes than were approved; nothing beyond that is fetched."""


class TypstFailed(InvalidInput):
    """Typst refused a template; `diagnostic` says where, as Typst prints it."""

    def __init__(self, message: str, diagnostic: str) -> None:
        super().__init__(message)
        self.diagnostic = diagnostic


class Rejected(InvalidInput):
    """An untrusted delivery: bad signature, old timestamp or invalid body. `reason` labels the metric, `status` is the HTTP status."""

    def __init__(self, reason: str, message: str, status: int = 401) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status


class OutsideError(CountersignError):
    """A vendor did not do what we asked."""


class Temporary(OutsideError):
    """A retry may succeed. `retry_after` is in seconds; the next attempt is never earlier."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class MessageGone(Temporary):
    """The message, or the one that a reply is for, was deleted. Nothing of ours is left where it was."""


class NotYet(Temporary):
    """Nothing failed, but its turn comes only in `retry_after` seconds: it is tried again then, and not later."""


class Permanent(OutsideError):
    """A person must fix it; the text says how."""


class TooManyHidden(Permanent):
    """The registry lists none of a model's versions, and they are too many to be read one by one."""


class NoWay(Permanent):
    """No transition that we may take leads the ticket where it should go."""


class ChartRefused(Permanent):
    """The notifier takes no charts, so nothing was posted."""


class OutcomeUnknown(OutsideError):
    """The answer to a write was lost. The effect looks up what was written and adopts it, or retries later."""


class NotTried(CountersignError):
    """`countersign doctor` cannot try it from here; the text completes "not tried: ..."."""


class NotProven(CountersignError):
    """A signature, a chain or a role does not prove what it should."""


class NotVerified(NotProven):
    """The envelope proves nothing; the text says why."""


class AssertionRefused(NotVerified):
    """A passkey's signature proves nothing; `reason` is a short name of why, for programs."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ChainBroken(NotProven):
    """The ledger's chain is broken; the text names the first entry that does not fit."""


class RolesNotApart(NotProven):
    """The role that the bot runs as could change the ledger; the text says why, and what to do."""


class OtherFiles(NotProven):
    """The files are not those that were approved; the text says what differs, as a clause."""


class NotRead(CountersignError):
    """Bytes or an answer that could not be read."""


class FilesUnread(NotRead):
    """A version's files cannot be read; the text says which, why, and what to do."""


class NotFetched(NotRead):
    """A file cannot be downloaded from the data store; the text says why."""


class NotOnRemote(NotFetched):
    """The data store has no file with that hash."""


class NoAnswer(NotRead):
    """A server did not answer, or not in a usable way; the text says which, why, and what to do."""


class NotReady(CountersignError):
    """This machine lacks something, or something already runs on it."""


class NoDatabase(NotReady):
    """There is no database to work with; the text says how to get one."""


class WrongSchema(NotReady):
    """The database is of another release than this one; the text says which, and what to do."""


class AlreadyRunning(NotReady):
    """Another process already does this here; the text says which."""


class DemoFailed(NotReady):
    """The demo could not show what it promises; the text says which step, and where to look."""
