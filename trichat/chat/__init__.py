"""The chat itself: sessions, rooms, the hub, dispatch, the relay, the committer. Trio, but no I/O."""
