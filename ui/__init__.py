"""The web UI: pages, a JSON API and live updates over the job service."""
