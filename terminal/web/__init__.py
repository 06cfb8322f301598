"""The counter's page: FastAPI on loopback, for one browser at the counter."""
