"""Values that keys hold: pure data, without keys, clients or replies."""
