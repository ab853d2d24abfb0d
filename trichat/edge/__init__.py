"""Sockets: the front door, connections, the outbox, plain HTTP answers."""
