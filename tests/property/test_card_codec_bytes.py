"""Whatever the bytes: one error, or a value that is written as the same bytes."""

from collections.abc import Callable
from typing import Any, TypeVar

import cbor2
from hypothesis import example, given
from hypothesis import strategies as st

from card_codec import canonical
from card_codec.cose import open_sign1, sign1
from card_codec.credential import (
    CardKind,
    Credential,
    VerifiedCredential,
    hear_text,
    issue_credential,
    read_unverified,
    verify_credential,
)
from card_codec.errors import CardCodecError
from card_codec.keys import PrivateKey, PublicKey
from card_codec.qr.text import read_text, write_text
from card_codec.reason import Reason
from card_codec.refusal import Refused
from card_codec.status import StatusList
from card_codec.trust import decode_trust_list, encode_trust_list
from tests.unit.card_codec.samples import FULL, ISSUER, MODULE, TRUST

SIGNED = issue_credential(FULL, ISSUER)
SIGNED_ES256 = issue_credential(FULL, MODULE)
TRUST_FILE = encode_trust_list(TRUST)
STATUS_FILE = StatusList.from_indices(100, [3]).encode()
CARD_REFUSALS = {Reason.MALFORMED, Reason.UNKNOWN_ISSUER, Reason.BAD_SIGNATURE}

T = TypeVar("T")

values = st.recursive(
    st.integers(canonical.INT_MIN, canonical.INT_MAX)
    | st.binary(max_size=40)
    | st.text(max_size=40)
    | st.booleans()
    | st.none(),
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(
            st.integers(canonical.INT_MIN, canonical.INT_MAX) | st.text(max_size=10),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)


def _outcome(read: Callable[[], T]) -> T | CardCodecError:
    """What a decoder gives; any other exception than its own ends the test."""
    try:
        return read()
    except CardCodecError as exc:
        return exc


@st.composite
def spoilt(draw: st.DrawFn, data: bytes) -> bytes:
    """Good bytes with a few changed, dropped, doubled or added."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(changed) - 1, 0)))
        length = draw(st.integers(0, 4))
        changed[at : at + length] = draw(st.binary(max_size=4))
    return bytes(changed)


@given(values)
def test_value_survives_its_bytes(value: Any) -> None:
    data = canonical.encode(value)
    again = canonical.decode(data, size_max=len(data))
    assert again == value
    assert canonical.encode(again) == data
    assert cbor2.loads(data) == value  # an independent reader agrees


def _strict(value: object) -> bool:
    """Whether a value of a lenient reader is one of the types allowed, to the allowed depth."""
    return _strict_to(value, canonical.DEPTH_MAX)


def _strict_to(value: object, depth: int) -> bool:
    if type(value) is int:
        return canonical.INT_MIN <= value <= canonical.INT_MAX
    if value is None or type(value) in (bytes, str, bool):
        return True
    if type(value) is list:
        return depth > 0 and all(_strict_to(item, depth - 1) for item in value)
    if type(value) is dict:
        return depth > 0 and all(
            type(key) in (int, str) and _strict_to(key, 0) and _strict_to(item, depth - 1)
            for key, item in value.items()
        )
    return False


@given(st.binary(max_size=60) | values.map(cbor2.dumps).flatmap(spoilt))
@example(b"\xc2\x41\x01")
@example(b"\x5f\x41a\xff")
def test_any_bytes_are_read_as_the_lenient_reader_reads_them_or_refused(data: bytes) -> None:
    outcome = _outcome(lambda: canonical.decode(data, size_max=1_000))
    if isinstance(outcome, CardCodecError):
        assert outcome.code == "malformed"
        # Then the lenient reader fails, or gives what encodes to other bytes.
        try:
            lenient = cbor2.loads(data)
            refused_rightly = not _strict(lenient) or canonical.encode(lenient) != data
        except Exception:  # whatever it raises: it did not read it
            refused_rightly = True
        assert refused_rightly
    else:
        assert canonical.encode(outcome) == data
        assert cbor2.loads(data) == outcome


credentials = st.builds(
    Credential,
    household=st.binary(min_size=8, max_size=8),
    issue=st.integers(1, 255),
    kind=st.sampled_from(CardKind),
    issuer=st.from_regex(r"[A-Z]{2}-[A-Z0-9]{1,3}", fullmatch=True),
    audience=st.from_regex(r"[A-Z0-9]{1,16}", fullmatch=True),
    issued_at=st.integers(1_767_225_600, 2**62),
    expires_at=st.integers(2**62 + 1, 2**63 - 1),
    name=st.none()
    | st.text(min_size=1, max_size=60).filter(lambda s: s.isprintable() and s == s.strip()),
    chip_uid=st.none()
    | st.sampled_from((4, 7, 10)).flatmap(lambda n: st.binary(min_size=n, max_size=n)),
    photo=st.none() | st.binary(min_size=16, max_size=16),
)


@given(credentials, st.sampled_from((ISSUER, MODULE)))
def test_any_credential_is_heard_as_it_was_issued(credential: Credential, key: PrivateKey) -> None:
    heard = hear_text(write_text(issue_credential(credential, key)), TRUST)
    assert isinstance(heard, VerifiedCredential)
    assert heard.credential == credential
    assert heard.issuer_kid == key.public.kid


@given(st.binary(max_size=300) | spoilt(SIGNED) | spoilt(SIGNED_ES256))
def test_any_other_bytes_are_no_card(data: bytes) -> None:
    heard = verify_credential(data, TRUST)
    if data in (SIGNED, SIGNED_ES256):
        assert isinstance(heard, VerifiedCredential)
    else:
        assert isinstance(heard, Refused)
        assert heard.reason in CARD_REFUSALS
    outcome = _outcome(lambda: read_unverified(data))
    if isinstance(outcome, CardCodecError):
        assert outcome.code == "malformed"


@given(st.binary(max_size=300))
def test_claims_of_any_shape_under_a_good_signature_raise_nothing(payload: bytes) -> None:
    heard = verify_credential(sign1(payload, ISSUER), TRUST)
    assert isinstance(heard, Refused | VerifiedCredential)


@given(values)
def test_claims_of_any_value_under_a_good_signature_raise_nothing(value: Any) -> None:
    heard = verify_credential(sign1(canonical.encode(value), ISSUER), TRUST)
    assert isinstance(heard, Refused)
    assert heard.reason is Reason.MALFORMED


@given(st.text(max_size=300) | st.text("KHB1234567AZYW+-/& ", max_size=80).map("KHB1".__add__))
def test_any_text_is_heard_or_refused(text: str) -> None:
    assert isinstance(hear_text(text, TRUST), Refused)
    outcome = _outcome(lambda: read_text(text))
    if isinstance(outcome, CardCodecError):
        assert outcome.code in ("malformed", "scanner_layout", "not_our_card")
    else:
        assert write_text(outcome) == text.strip("\r\n\t ").upper()


@given(st.binary(min_size=1, max_size=900))
def test_any_content_survives_its_text(data: bytes) -> None:
    text = write_text(data)
    assert read_text(text) == read_text(text.lower() + "\r\n") == data


@given(st.binary(max_size=200) | spoilt(TRUST_FILE))
def test_any_bytes_are_a_trust_list_or_refused(data: bytes) -> None:
    outcome = _outcome(lambda: decode_trust_list(data))
    if isinstance(outcome, CardCodecError):
        assert outcome.code == "malformed"
    else:
        assert encode_trust_list(outcome) == data


@given(st.binary(max_size=200) | spoilt(STATUS_FILE))
def test_any_bytes_are_a_status_list_or_refused(data: bytes) -> None:
    outcome = _outcome(lambda: StatusList.decode(data))
    if isinstance(outcome, CardCodecError):
        assert outcome.code == "malformed"
    else:
        assert StatusList.decode(outcome.encode()) == outcome


@given(st.binary(max_size=200) | spoilt(SIGNED))
def test_any_bytes_are_opened_or_refused(data: bytes) -> None:
    def find_key(kid: bytes) -> PublicKey:
        return ISSUER.public

    outcome = _outcome(lambda: open_sign1(data, find_key))
    if isinstance(outcome, CardCodecError):
        assert outcome.code in ("malformed", "bad_signature")


@given(st.binary(max_size=150) | spoilt(ISSUER.public.spki) | spoilt(MODULE.public.spki))
def test_any_bytes_are_a_key_or_refused(data: bytes) -> None:
    outcome = _outcome(lambda: PublicKey.from_spki(data))
    if isinstance(outcome, CardCodecError):
        assert outcome.code == "malformed"
    else:
        assert outcome.spki == data
        assert PublicKey.from_pem(outcome.to_pem()) == outcome


@given(spoilt(ISSUER.to_pem()) | spoilt(MODULE.to_pem()) | st.binary(max_size=100))
def test_any_bytes_are_a_key_file_or_refused(data: bytes) -> None:
    outcome = _outcome(lambda: PrivateKey.from_pem(data))
    if isinstance(outcome, CardCodecError):
        assert outcome.code == "malformed"
    else:
        outcome.public.verify(outcome.sign(b"m"), b"m")


@given(
    st.integers(1, 300).flatmap(
        lambda size: st.tuples(
            *[st.builds(StatusList.from_indices, st.just(size), st.sets(st.integers(0, size - 1)))]
            * 3
        )
    )
)
def test_union_of_status_lists_is_one_of_sets(lists: tuple[StatusList, ...]) -> None:
    a, b, c = lists
    assert a.union(b) == b.union(a)
    assert a.union(b).union(c) == a.union(b.union(c))
    assert a.union(a) == a
    for index in range(a.size):
        assert a.union(b).is_set(index) == (a.is_set(index) or b.is_set(index))
