"""The road between a terminal and the province, and the province's end of it."""
