"""Can results be written safely, is the clock right, and which data sets are there?"""

import os
import re
import shutil
import tempfile
import time
from pathlib import Path

import bench
from bench.base import machine
from bench.cli.health.finding import Finding, Findings, Setup, import_or_explain
from bench.errors import DataError

NETWORKS = re.compile(r"nfs|cifs|smb|sshfs|lustre|gpfs|beegfs|ceph|glusterfs|9p|afs")
GIB = 2**30
SUITE_SPACE = 1 * GIB  # what a suite of small networks takes with room to spare
MAX_SKEW_S = 2.0  # between this machine's clock and the one of its files


def check_disk(setup: Setup) -> Findings:
    """Measure space at the results, and try what crash safety rests on: fsync, rename, links."""
    home = machine.existing(setup.results)
    kind, free = machine.file_system(home), shutil.disk_usage(home).free
    text = f"{home}: {kind}, {free / GIB:.1f} GiB free"
    try:
        missing = machine.trial(home)
    except OSError as error:
        why = f"`{home}` cannot be written: {error.strerror or error}"
        yield Finding("fail", "disk", why, "give another --results")
        return
    if missing:
        yield Finding("fail", "disk", f"{text}; {missing}", "give --results on a local disk")
    elif NETWORKS.search(kind):
        advice = "a network file system: `bench machines check` tries it from two machines"
        yield Finding("warn", "disk", text, advice)
    elif free < SUITE_SPACE:
        yield Finding("warn", "disk", text, "a suite may need more: make room")
    else:
        yield Finding("ok", "disk", f"{text}; written, synced, renamed and linked a file")


def check_clock(setup: Setup) -> Findings:
    """Compare this machine's clock with the disk's, and with the age of signbench's own files."""
    now, installed = time.time(), Path(bench.__file__).stat().st_mtime
    text = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < installed - MAX_SKEW_S:
        advice = "set the clock: times of records and the age of locks would be wrong"
        yield Finding("warn", "clock", f"{text}, before signbench was installed", advice)
        return
    skew = _file_skew(machine.existing(setup.results))
    if abs(skew) > MAX_SKEW_S:
        advice = "the file server's clock is another; set both by NTP"
        yield Finding("warn", "clock", f"{text}; files are {skew:+.0f} s off", advice)
    else:
        yield Finding("ok", "clock", text)


def _file_skew(folder: Path) -> float:
    """Seconds by which a file made now is ahead of this clock; 0 where none can be made."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=machine.MARK) as file:
            return os.fstat(file.fileno()).st_mtime - time.time()
    except OSError:  # told by the disk
        return 0.0


def check_data(setup: Setup) -> Findings:
    """Name the data sets that are there; a damaged one, not a missing one, is a failure."""
    if import_or_explain("torch")[1]:
        yield Finding("warn", "data", "not looked at without torch")
        return
    from bench.cli import catalogue
    from bench.registry import DATA

    if setup.data and not setup.data.is_dir():
        advice = "name another --data or BENCH_DATA, or make the folder"
        yield Finding("fail", "data", f"no folder `{setup.data}`", advice)
        return
    present: list[str] = []
    absent: list[str] = []
    for name in (n for n, origin in DATA.origins().items() if not origin.problem):
        try:
            catalogue.describe_data_set(name, setup.data)
            present.append(name)
        except DataError as error:
            if not str(error).startswith("no `"):
                yield Finding("fail", f"data {name}", str(error))
            else:
                absent.append(name)
        except ImportError as error:
            yield Finding("warn", f"data {name}", f"not looked at: {error}")
    text = f"{', '.join(present) or 'none'}; not here: {', '.join(absent) or 'none'}"
    if present:
        yield Finding("ok", "data", text)
    else:
        yield Finding("warn", "data", text, "`bench data prepare NAME`, or --data FOLDER")
