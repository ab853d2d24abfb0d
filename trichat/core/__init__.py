"""Pure rules: names, commands, events, the codec, the room log, limits. No I/O, no clock, no Trio."""
