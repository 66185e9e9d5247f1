"""
An engine whose jobs are processes of this machine; it speaks as Slurm does.

What it knows lies in files of a folder, so that several processes share its jobs, as they share a
cluster: `<job>.json` is how the job is asked for, `<job>.end` the word for how it ended.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from bench.fleet.allocation import environment
from bench.fleet.engine import JobState, Phase

HOME = Path(__file__).parents[2]
STARTER = """
import os, subprocess, sys
end, argv = sys.argv[1], sys.argv[2:]
code = subprocess.call(argv)
word = 'COMPLETED' if code == 0 else 'REQUEUE' if code == 75 else 'FAILED'
if not os.path.exists(end):
    with open(end + '.part', 'w') as file:
        file.write(f'{word} {code}')
    os.rename(end + '.part', end)
"""


class ProcessEngine:
    """Starts `bench work` in a process for each batch at once, as many as there are."""

    name = "process"
    attached = False

    def __init__(self, folder: Path, *, at_once: int = 4) -> None:
        self.folder, self.at_once = folder, at_once
        self.looks = 0
        folder.mkdir(parents=True, exist_ok=True)

    def submit(
        self, batches: list[Path], after: Mapping[Path, list[str]], exclude: Iterable[str] = ()
    ) -> dict[Path, str]:
        jobs: dict[Path, str] = {}
        for path in batches:
            job = jobs[path] = uuid4().hex[:8]
            asked = {"batch": str(path), "after": after.get(path, []), "at": time.time_ns()}
            (self.folder / f"{job}.json").write_text(json.dumps(asked), encoding="utf-8")
        self.poll()
        return jobs

    def look(self, jobs: Iterable[str]) -> dict[str, JobState]:
        self.looks += 1
        return {job: self._state(job) for job in jobs}

    def cancel(self, jobs: Iterable[str]) -> None:
        for job in jobs:
            if not self._end(job):
                self._put_end(job, "CANCELLED 0")
                self.send(job, signal.SIGTERM)

    def script(
        self, batches: list[Path], after: Mapping[Path, list[str]], exclude: Iterable[str] = ()
    ) -> str:
        return "".join(f"bench work {path.name}\n" for path in batches)

    def poll(self) -> None:
        """Start what may start."""
        asked = sorted(self.folder.glob("*.json"), key=lambda p: json.loads(p.read_text())["at"])
        waiting = [path.stem for path in asked if not (self.folder / f"{path.stem}.pid").exists()]
        running = [p for p in self.folder.glob("*.pid") if not self._end(p.stem)]
        for job in waiting:
            told = json.loads((self.folder / f"{job}.json").read_text())
            if len(running) >= self.at_once:
                return
            if not self._end(job) and all(self._end(other) for other in told["after"]):
                with suppress(FileExistsError):
                    self._start(job, told["batch"])
                    running.append(self.folder / job)

    def close(self) -> None:
        """Jobs go on."""

    def send(self, job: str, number: int) -> None:
        """Send a signal to what a job runs."""
        with suppress(ProcessLookupError, FileNotFoundError, ValueError):
            pid = int((self.folder / f"{job}.pid").read_text())
            if number == signal.SIGKILL:
                os.killpg(pid, number)
                return
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            for child in children:
                os.kill(int(child), number)

    def die(self, job: str, word: str) -> None:
        """Kill a job as a node dies, or as a limit strikes, and say so."""
        self._put_end(job, f"{word} 9")
        self.send(job, signal.SIGKILL)

    def jobs(self) -> list[str]:
        """All that were ever submitted."""
        return [path.stem for path in self.folder.glob("*.json")]

    def stop(self) -> None:
        """End every process."""
        for job in self.jobs():
            self.send(job, signal.SIGKILL)

    def _start(self, job: str, batch: str) -> None:
        pid = self.folder / f"{job}.pid"
        pid.touch(exist_ok=False)
        work = [sys.executable, "-m", "bench", "work", batch]
        env = {**os.environ, **environment(self.name, job), "OMP_NUM_THREADS": "1"}
        env["PYTHONPATH"] = str(HOME)
        with (self.folder / f"{job}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", STARTER, str(self.folder / f"{job}.end"), *work],
                stdout=log,
                stderr=log,
                env=env,
                start_new_session=True,
            )
        pid.write_text(str(process.pid), encoding="utf-8")

    def _end(self, job: str) -> str:
        try:
            return (self.folder / f"{job}.end").read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""

    def _put_end(self, job: str, words: str) -> None:
        (self.folder / f"{job}.end").write_text(words, encoding="utf-8")

    def _state(self, job: str) -> JobState:
        if not (self.folder / f"{job}.json").exists():
            return JobState(Phase.GONE)
        if end := self._end(job):
            word, code = end.split()
            word = "FAILED" if word == "REQUEUE" else word
            return JobState(Phase.ENDED, word, f"{code}:0", ("here",))
        if (self.folder / f"{job}.pid").exists():
            return JobState(Phase.RUNNING, "RUNNING", "", ("here",))
        return JobState(Phase.QUEUED, "PENDING", "Priority")
