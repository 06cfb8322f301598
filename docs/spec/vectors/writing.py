"""How vector files come to be: every case a file, written, or with ``--check`` compared."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from docs.spec.vectors.vector_parts import Case

HERE = Path(__file__).parent


def write_or_check(*sources: Callable[[], Iterator[tuple[str, Case]]]) -> int:
    """Write or compare every file; 1 if one differs.

    Args:
        sources: give (place below this folder, content) of each file.
    """
    wrong = []
    for cases in sources:
        for place, case in cases():
            path = HERE / f"{place}.json"
            whole = json.dumps({"name": path.stem} | case, indent=2, ensure_ascii=True) + "\n"
            if "--check" in sys.argv[1:]:
                if not path.exists() or path.read_text(encoding="utf-8") != whole:
                    wrong.append(place)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(whole, encoding="utf-8")
    for place in wrong:
        told = f"{place}.json is not what {Path(sys.argv[0]).name} writes; run it again"
        print(told, file=sys.stderr)
    return 1 if wrong else 0
