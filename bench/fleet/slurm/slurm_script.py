"""The script that a job of Slurm is, by submitit; imported where that is wanted."""

import shlex
import sys
from pathlib import Path

from submitit import SlurmExecutor

DEAF = "trap '' USR1 USR2  # until the harness listens: unheard they would end the job"


class Executor(SlurmExecutor):
    """
    Writes scripts and submits arrays, as submitit does, of the Python that runs here.

    Python takes the shell's place (`exec`), so that it is the one that Slurm warns.

    Args:
        folder: of scripts and logs.
        seen: the same folder, as nodes see it.
    """

    def __init__(self, folder: Path, seen: Path) -> None:
        super().__init__(folder, python=f"exec {shlex.quote(sys.executable)}")
        self.seen = seen

    @property
    def _submitit_command_str(self) -> str:
        return f"{self.python} -u -m submitit.core._submit {shlex.quote(str(self.seen))}"

    def script(self, count: int) -> str:
        """What sbatch is given for so many batches."""
        array = {"map_count": count} if count > 1 else {}
        before, self.parameters = self.parameters, self.parameters | array
        try:
            return self._make_submission_file_text(self._submitit_command_str, "")
        finally:
            self.parameters = before
