"""The examples of docs/spec are read by the code they describe."""

import re
from pathlib import Path

from ledger.changes_file import Wanted, make_changes, read_changes
from ledger.element import RedemptionId
from ledger.record import compress
from ledger.rights_file import FLAG_MOVED, MemberRight, read_base, state_root
from provisioning.policy_table import make_policy, read_policy_table

SPEC = Path(__file__).parents[3] / "docs" / "spec"


def test_rights_file_of_the_page_reads_as_the_page_says() -> None:
    page = (SPEC / "rights-ledger.md").read_text(encoding="utf-8")
    found = re.search(r"^((?:[0-9a-f]+\n)+)\n([0-9a-f]{64})$", page, re.MULTILINE)
    assert found is not None
    base = read_base(compress(bytes.fromhex(found[1])))
    assert state_root(base).hex() == found[2]
    first, second = base.rows()
    assert (first.class_number, first.issue, first.members) == (1, 1, ())
    assert (second.class_number, second.issue) == (3, 2)
    assert second.members == (MemberRight(2, 3, 6),)


def test_changes_of_the_page_lead_where_the_page_says() -> None:
    page = (SPEC / "rights-ledger.md").read_text(encoding="utf-8")
    found = re.search(r"^((?:[0-9a-f]+\n)+)\n([0-9a-f]{64})$", page, re.MULTILINE)
    assert found is not None
    base = read_base(compress(bytes.fromhex(found[1])))
    page = (SPEC / "changes.md").read_text(encoding="utf-8")
    (written,) = re.findall(r"^((?:[0-9a-f]{20,}\n)+)", page, re.MULTILINE)
    changes = read_changes(compress(bytes.fromhex(written)))
    assert (changes.number, changes.parent) == (1, state_root(base))
    assert changes.parent.hex().startswith("5539ac5a")
    wanted = Wanted(
        removed={base.ids()[0]: FLAG_MOVED},
        replaced={base.ids()[1]: 3},
        cleared={(base.ids()[1], 2): 1},
        corrected={(RedemptionId(1, 1, 17), base.ids()[1]): 1},
    )
    assert make_changes(base, number=1, wanted=wanted) == changes


def test_policy_table_of_the_page_is_accepted(tmp_path: Path) -> None:
    page = (SPEC / "policy.md").read_text(encoding="utf-8")
    found = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert found is not None
    (tmp_path / "policy.toml").write_text(found[1], encoding="utf-8")
    policy = make_policy(read_policy_table(tmp_path / "policy.toml"), number=1, places=())
    assert [programme.id for programme in policy.programmes] == ["pangan"]
