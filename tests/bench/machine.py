"""What the operating system knows of processes: processor time, memory, load. Linux only, as /proc is."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
SPIN = """
import time
wall, spent = time.perf_counter(), time.process_time()
while time.process_time() < spent + 0.3:
    pass
print((time.perf_counter() - wall) / (time.process_time() - spent))
"""
STARTED = """
import resource, subprocess, sys, time
began = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, code)
"""


def processor_time_of(*processes: int) -> float:
    """In seconds, of each process with all that live below it and those that they have waited for."""
    return sum(_own_time(pid) for pid in {one for process in processes for one in family(process)})


def precise_time_of(process: int) -> float:
    """Processor time of one process with all its threads, in seconds, finer than the system's ticks."""
    return time.clock_gettime((~process << 3) | 2)  # the clock of a process: man 3 clock_getcpuclockid


def listener(port: int) -> int:
    """The process that has this port of loopback open."""
    address = f"0100007F:{port:04X}"
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    socket = next(f"socket:[{row[9]}]" for row in rows if row[1] == address and row[3] == "0A")
    holders = (int(link.parts[2]) for link in Path("/proc").glob("[0-9]*/fd/*") if _leads_to(link) == socket)
    return max(holders)


def _leads_to(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""  # it has been closed meanwhile


def family(process: int) -> list[int]:
    """The process and all below it."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents.setdefault(int(_fields(stat)[1]), []).append(int(stat.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
    found = [process]
    for one in found:
        found.extend(parents.get(one, ()))
    return found


def memory_of(process: int, line: str = "VmRSS") -> float:
    """In MB; VmHWM is the peak."""
    status = dict(one.split(":", 1) for one in Path(f"/proc/{process}/status").read_text().splitlines())
    return int(status[line].split()[0]) / 1024


def forget_peak() -> None:
    """Of this process's own memory."""
    Path("/proc/self/clear_refs").write_text("5")


def load() -> float:
    return os.getloadavg()[0]


def slowdown() -> float:
    """How many times longer a computation takes here than its processor time, on all cores at once: 1 on an idle machine."""
    command = [sys.executable, "-c", SPIN]
    spinning = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in os.sched_getaffinity(0)]
    return max(float(one.communicate()[0]) for one in spinning)


def description() -> str:
    names = (
        line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    )
    memory = os.sysconf("SC_PHYS_PAGES") * PAGE / 2**30
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores ({next(names, platform.machine())}), {memory:.0f} GiB, Python {platform.python_version()}, Linux"


def cost_of(
    command: Sequence[str], environ: Mapping[str, str] | None = None, may_end_with: Sequence[int] = (0,)
) -> tuple[float, float, float]:
    """Wall and processor time in seconds and the peak of memory in MB of a child.

    A small process starts it: the system counts the memory of the one that starts a child towards the child's peak.
    """
    done = subprocess.run(
        [sys.executable, "-I", "-c", STARTED, *command], env=environ, capture_output=True, text=True, check=True
    )
    wall, spent, memory, code = done.stdout.split()
    if int(code) not in may_end_with:
        raise RuntimeError(f"{' '.join(command)} ended with {code}: {done.stderr[-2000:]}")
    return float(wall), float(spent), float(memory)


def own_cost(act: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor time of this process."""
    wall, spent = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    act()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter() - wall, after.ru_utime + after.ru_stime - spent.ru_utime - spent.ru_stime


def _own_time(pid: int) -> float:
    try:
        fields = _fields(Path(f"/proc/{pid}/stat"))
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(field) for field in fields[11:15]) / TICK


def _fields(stat: Path) -> list[str]:
    """From the third on: the second, the name, may hold spaces."""
    return stat.read_text().rpartition(")")[2].split()
