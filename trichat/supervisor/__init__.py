"""N nodes on one port: started, watched, restarted and drained by one process."""
