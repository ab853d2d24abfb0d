"""`trichat doctor`: what follows from the log of a room is computed anew, and compared with what is stored. Pure."""

from trichat.core.doctor.diagnosis import Diagnosis
from trichat.core.doctor.examined import (
    Figure,
    Finding,
    IndexPage,
    LogEntry,
    LogPage,
    Part,
    RoomFigures,
    TablePage,
    TableRow,
)

__all__ = [
    "Diagnosis", "Figure", "Finding", "IndexPage", "LogEntry", "LogPage", "Part", "RoomFigures", "TablePage",
    "TableRow",
]  # fmt: skip
