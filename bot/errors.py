"""Every error of Countersign's own, in one tree.

CountersignError
|- Refused                a rule of ours says no; the text is what the person reads
|  |- AlreadyDecided, OwnRequest    (bot.domain.request.lifecycle)
|  |- VoterUnknown                  (handlers.request.voters)
|  `- JobRefused
|- InvalidInput           what we were given cannot be used; the text says what, which and how to fix it
|  |- InvalidSettings, InvalidPolicy, InvalidKey
|  |- InvalidStatement, InvalidCheckpoint, InvalidProof
|  |- InvalidDvcFile, UnsafePath, TooLarge, TypstFailed
|  `- Rejected            a delivery that must not be believed
|- OutsideError           a vendor did not do what we asked
|  |- Temporary           try again
|  |- Permanent           a person must fix it
|  `- OutcomeUnknown      the answer to a write was lost
|- NotProven              evidence does not hold
|  |- NotVerified, ChainBroken, RolesNotApart
|  `- NotAllowed          (bot.domain.attestation.gate)
|- NotRead                bytes or answers that could not be had
|  |- FilesUnread, NotFetched, NotOnRemote, NoAnswer
`- NotReady               this machine is not ready
   `- NoDatabase, AlreadyRunning, DemoFailed
"""

from __future__ import annotations


class CountersignError(Exception):
    """The root. The text is for people: what happened, to what, and what to do next."""


class Refused(CountersignError):
    """A rule of ours says no. The text is the very sentence that the person reads."""


class JobRefused(Refused):
    """The job does not exist, or is not in a state for this."""


class InvalidInput(CountersignError):
    """Settings, a file, a key or a message that cannot be used."""


class InvalidSettings(InvalidInput):
    """Everything that is wrong with the environment, one sentence for each mistake; never with a secret in it."""

    def __init__(self, mistakes: tuple[str, ...]) -> None:
        super().__init__(mistakes)
        self.mistakes = mistakes

    def __str__(self) -> str:
        return "\n".join(self.mistakes)


class InvalidPolicy(InvalidInput):
    """A text that is no policy. str() is one line for each mistake; `source` is what the mistakes call the text."""

    source: str


class InvalidKey(InvalidInput):
    """A key that cannot be read or used; the text says why, and what to do."""


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
    """There is more than was approved; nothing beyond it is fetched."""


class TypstFailed(InvalidInput):
    """Typst refused a template; `diagnostic` says where, as Typst prints it."""

    def __init__(self, message: str, diagnostic: str) -> None:
        super().__init__(message)
        self.diagnostic = diagnostic


class Rejected(InvalidInput):
    """A delivery that must not be believed: a bad signature, an old time, no valid body. `reason` labels the metric, `status` is HTTP's."""

    def __init__(self, reason: str, message: str, status: int = 401) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status


class OutsideError(CountersignError):
    """A vendor did not do what we asked."""


class Temporary(OutsideError):
    """It may pass. `retry_after` is in seconds; the next attempt never comes earlier."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Permanent(OutsideError):
    """A person must fix it; the text says how."""


class OutcomeUnknown(OutsideError):
    """The answer to a write was lost. The effect looks the thing up and adopts it, or tries again later."""


class NotProven(CountersignError):
    """A signature, a chain or a role does not prove what it should."""


class NotVerified(NotProven):
    """The envelope proves nothing; the text says why."""


class ChainBroken(NotProven):
    """The ledger's chain does not hold; the text names the first entry where."""


class RolesNotApart(NotProven):
    """The role that the bot runs as could change the ledger; the text says why, and what to do."""


class NotRead(CountersignError):
    """Bytes or an answer that could not be had."""


class FilesUnread(NotRead):
    """A version's files are not read; the text says which, why, and what to do."""


class NotFetched(NotRead):
    """A file is not brought back from the data store; the text says why."""


class NotOnRemote(NotFetched):
    """The data store has nothing of that hash."""


class NoAnswer(NotRead):
    """A server did not answer, or not in a usable way; the text says which, why, and what to do."""


class NotReady(CountersignError):
    """This machine lacks something, or something runs here already."""


class NoDatabase(NotReady):
    """There is no database to work with; the text says how to get one."""


class AlreadyRunning(NotReady):
    """Another process does this here; the text says which."""


class DemoFailed(NotReady):
    """The demo could not show what it promises; the text says which step, and where to look."""
