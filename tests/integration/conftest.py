"""What lies in a folder called ``inside`` is for a namespace of its own; see tests/namespace.py."""

from tests.namespace import is_inside

collect_ignore_glob = [] if is_inside() else ["*/inside"]
