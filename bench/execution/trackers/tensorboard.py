"""TensorBoard: an event file for each cell below FOLDER/<suite>, written without torch."""

# What protobuf makes has no types:
# pyright: reportAttributeAccessIssue=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from shlex import quote

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import metadata, plugin_data_pb2, summary_v2
from tensorboard.summary.writer.record_writer import RecordWriter

from bench.spec.cell import Cell


class Tracker:
    """One file for each cell that trains; no thread writes it, whose errors no one would catch."""

    def __init__(self, folder: Path, suite: str) -> None:
        self.command = f"tensorboard --logdir {quote(str(folder))}"
        self.folder = folder / suite
        self.folder.mkdir(parents=True, exist_ok=True)
        self._files: dict[str, RecordWriter] = {}

    def begin(self, cell: Cell, parameters: Mapping[str, str | float]) -> None:
        home = self.folder / cell.slug
        home.mkdir(exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns()}.{socket.gethostname()}.{os.getpid()}"
        self._files[cell.id] = RecordWriter((home / name).open("xb"))
        self._write(cell, Event(wall_time=time.time(), file_version="brain.Event:2"))
        self._write(cell, _event(summary_v2.hparams_pb(dict(parameters), trial_id=cell.id)))

    def log(self, cell: Cell, values: Mapping[int, Mapping[str, float]]) -> None:
        for epoch, told in values.items():
            scalars = [Summary.Value(tag=tag, simple_value=v) for tag, v in told.items()]
            self._write(cell, _event(Summary(value=scalars), epoch))

    def end(self, cell: Cell, status: str, reason: str) -> None:
        self._write(cell, _event(_over(status)))
        self._files.pop(cell.id).close()

    def close(self) -> None:
        for file in self._files.values():
            file.close()

    def _write(self, cell: Cell, event: Event) -> None:
        self._files[cell.id].write(event.SerializeToString())
        self._files[cell.id].flush()


def _event(summary: Summary, step: int = 0) -> Event:
    return Event(wall_time=time.time(), step=step, summary=summary)


def _over(status: str) -> Summary:
    """What the table of parameters says of a cell that has ended."""
    state = "STATUS_SUCCESS" if status == "ok" else "STATUS_FAILURE"
    info = plugin_data_pb2.SessionEndInfo(status=state, end_time_secs=time.time())
    data = plugin_data_pb2.HParamsPluginData(session_end_info=info)
    told = Summary.Value(
        tag=metadata.SESSION_END_INFO_TAG, metadata=metadata.create_summary_metadata(data)
    )
    return Summary(value=[told])
