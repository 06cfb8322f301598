"""A whole province in one process, from one seed: the real code on our clocks, roads and disks."""
