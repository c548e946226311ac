"""One file per Redis group; MODULES lists them, nothing registers itself."""
