"""TensorBoard: an event file for each cell below FOLDER/<suite>, written without torch."""

# What protobuf makes has no types:
# pyright: reportAttributeAccessIssue=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

import time
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import metadata, plugin_data_pb2, summary_v2
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from bench.cell import Cell


class Tracker:
    """One writer for each cell that trains."""

    def __init__(self, folder: Path, suite: str) -> None:
        self.command = f"tensorboard --logdir {folder}"
        self.folder = folder / suite
        self.folder.mkdir(parents=True, exist_ok=True)
        self._files: dict[str, EventFileWriter] = {}

    def begin(self, cell: Cell, parameters: Mapping[str, str | float]) -> None:
        file = self._files[cell.id] = EventFileWriter(str(self.folder / cell.slug))
        file.add_event(_event(summary_v2.hparams_pb(dict(parameters), trial_id=cell.id)))
        file.flush()

    def log(self, cell: Cell, values: Mapping[int, Mapping[str, float]]) -> None:
        file = self._files[cell.id]
        for epoch, told in values.items():
            scalars = [Summary.Value(tag=tag, simple_value=v) for tag, v in told.items()]
            file.add_event(_event(Summary(value=scalars), epoch))
        file.flush()

    def end(self, cell: Cell, status: str, reason: str) -> None:
        file = self._files.pop(cell.id)
        file.add_event(_event(_over(status)))
        file.close()

    def close(self) -> None:
        for file in self._files.values():
            file.close()


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
