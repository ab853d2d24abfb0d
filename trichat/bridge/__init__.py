"""The bridge between nodes: Redis Pub/Sub (the only place with asyncio and redis), and its in-process twin."""
