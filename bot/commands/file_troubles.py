"""What a command says of a file or a disk that it cannot use. The gate has it too, so nothing large is imported."""

from __future__ import annotations

import errno

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
OF_THE_PLACE = (
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
)


def told(trouble: OSError) -> str:
    """One sentence, and what to do; empty for what is not the place's fault."""
    if trouble.errno in NO_ROOM:
        where = f" for {trouble.filename}" if trouble.filename else ""
        return f"the disk is full{where} ({trouble.strerror}). Make room, then run it again"
    if trouble.errno == errno.EFBIG:
        return (
            f"a file became larger than may be ({trouble.strerror}). Raise the limit (`ulimit -f`), then run it again"
        )
    if trouble.errno in OF_THE_PLACE and trouble.filename:
        fix = "Name another place, or let your user read and write there, then run it again"
        place = trouble.filename2 or trouble.filename  # what is put in its place has a name that nobody knows
        return f"{place} cannot be used ({trouble.strerror}). {fix}"
    return ""
