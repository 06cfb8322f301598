"""Any bytes as a file of commits or of verdicts: one error, or the same bytes again."""

from hypothesis import given
from hypothesis import strategies as st

from card_codec.chip.record import CardRecord, RecordKind, encode_record
from card_codec.cose import sign1
from card_codec.keys import PrivateKey
from card_codec.trust import KeyUse, TrustedKey, TrustList
from ledger.errors import RecordError
from ledger.mac_verdict import (
    AskedCommit,
    Finding,
    MacVerdict,
    read_asked,
    read_verdicts,
    write_asked,
    write_verdicts,
)
from ledger.record import compress, inflate

KEY = PrivateKey.generate()
TRUST = TrustList(1, [TrustedKey(KEY.public, KeyUse.VERDICT, "ID-KT", 0)])
RECORD = encode_record(CardRecord(RecordKind.REDEMPTION, 1, 1, 17, 1, 1, 0, 1, 20_500))
COMMITS = st.builds(
    AskedCommit,
    uid=st.binary(min_size=7, max_size=7),
    counter=st.integers(1, 0xFFFFFFFF),
    record=st.just(RECORD),
    value=st.just(b"") | st.binary(min_size=8, max_size=8),
    before=st.none() | st.integers(0, 0xFFFFFF),
)
HOUSEHOLDS = st.none() | st.binary(min_size=8, max_size=8)
VERDICTS = st.builds(
    lambda c, household: MacVerdict(
        c.uid, c.counter, c.record, c.value, Finding.VALID if c.value else Finding.LOST, household
    ),
    COMMITS,
    HOUSEHOLDS,
)


@given(st.lists(COMMITS, max_size=6))
def test_every_file_of_commits_survives_being_written(commits: list[AskedCommit]) -> None:
    assert set(read_asked(write_asked(commits))) == set(commits)


@given(st.lists(VERDICTS, max_size=6, unique_by=lambda v: (v.uid, v.counter, v.value)))
def test_every_file_of_verdicts_survives_being_written(verdicts: list[MacVerdict]) -> None:
    file = read_verdicts(write_verdicts(verdicts, KEY, at=7), TRUST)
    assert (file.at, set(file.verdicts)) == (7, set(verdicts))


@given(st.binary(max_size=120), st.booleans())
def test_any_bytes_are_commits_written_alike_or_refused(data: bytes, is_plain: bool) -> None:
    try:
        commits = read_asked(compress(data) if is_plain else data)
    except RecordError:
        return
    assert inflate(write_asked(commits)) == (data if is_plain else inflate(data))


@given(st.binary(max_size=120), st.sampled_from(["file", "inflated", "payload"]))
def test_any_bytes_as_verdicts_are_refused(data: bytes, place: str) -> None:
    if place == "payload":
        data = sign1(data, KEY)
    try:
        read_verdicts(data if place == "file" else compress(data), TRUST)
    except RecordError:
        return
    raise AssertionError("random bytes were taken for verdicts")


@given(st.data())
def test_any_flipped_bit_of_a_signed_file_is_refused(draw: st.DataObject) -> None:
    file = inflate(write_verdicts([draw.draw(VERDICTS)], KEY, at=7))
    place = draw.draw(st.integers(0, len(file) * 8 - 1))
    flipped = bytearray(file)
    flipped[place // 8] ^= 1 << place % 8
    try:
        read_verdicts(compress(bytes(flipped)), TRUST)
    except RecordError:
        return
    raise AssertionError(f"bit {place} was flipped and the file taken")
