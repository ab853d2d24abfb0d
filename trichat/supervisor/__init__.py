"""N nodes on one port: started, watched, restarted and drained by one process, which serves nobody itself."""

from trichat.supervisor.supervisor import run

__all__ = ["run"]
