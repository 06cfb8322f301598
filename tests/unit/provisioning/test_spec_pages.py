"""The examples of docs/spec are read by the code they describe."""

import re
from pathlib import Path

from ledger.record import compress
from ledger.rights_file import MemberRight, read_base, state_root
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


def test_policy_table_of_the_page_is_accepted(tmp_path: Path) -> None:
    page = (SPEC / "policy.md").read_text(encoding="utf-8")
    found = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert found is not None
    (tmp_path / "policy.toml").write_text(found[1], encoding="utf-8")
    policy = make_policy(read_policy_table(tmp_path / "policy.toml"), number=1, places=())
    assert [programme.id for programme in policy.programmes] == ["pangan"]
