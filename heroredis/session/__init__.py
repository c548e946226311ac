"""Clients and what they wait for: connections, watching, blocking."""
