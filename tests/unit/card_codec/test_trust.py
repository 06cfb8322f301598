from dataclasses import replace

import pytest

from card_codec import canonical
from card_codec.errors import CardCodecError
from card_codec.keys import PrivateKey
from card_codec.trust import (
    KeyUse,
    TrustedKey,
    TrustList,
    decode_trust_list,
    encode_trust_list,
)
from tests.unit.card_codec.samples import ISSUER, TERMINAL, TRUST


def test_key_is_found_for_its_use_only() -> None:
    kid = ISSUER.public.kid
    found = TRUST.find(kid, KeyUse.ISSUER)
    assert found is not None
    assert found.key == ISSUER.public
    assert TRUST.find(kid, KeyUse.TERMINAL) is None
    assert TRUST.find(TERMINAL.public.kid, KeyUse.ISSUER) is None
    assert TRUST.find(b"none", KeyUse.ISSUER) is None


def test_order_of_building_does_not_matter() -> None:
    assert TrustList(1, reversed(TRUST.keys)) == TRUST
    assert encode_trust_list(TrustList(1, reversed(TRUST.keys))) == encode_trust_list(TRUST)
    assert hash(TrustList(1, TRUST.keys)) == hash(TRUST)
    assert TrustList(2, TRUST.keys) != TRUST


def test_one_kid_twice_cannot_be_built() -> None:
    key = TRUST.keys[0]
    with pytest.raises(CardCodecError, match=f"share the kid {key.key.kid.hex()}"):
        TrustList(1, [key, replace(key, use=KeyUse.LOG)])


def test_list_does_not_change() -> None:
    with pytest.raises(AttributeError):
        TRUST.version = 9  # type: ignore[misc]


@pytest.mark.parametrize(
    "spoilt",
    [
        {"holder": ""},
        {"holder": "x" * 61},
        {"holder": "a\nb"},
        {"valid_from": -1},
        {"valid_until": 1},
        {"revoked_at": -1},
    ],
)
def test_key_with_a_field_out_of_bounds_cannot_be_listed(spoilt: dict[str, object]) -> None:
    key = TrustedKey(PrivateKey.generate().public, KeyUse.LOG, "Log", 1_000)
    assert decode_trust_list(encode_trust_list(TrustList(1, [key]))).keys == (key,)
    with pytest.raises(CardCodecError):
        TrustList(1, [replace(key, **spoilt)])  # type: ignore[arg-type]


def test_list_of_a_whole_province_is_read() -> None:
    spki = [PrivateKey.generate().public for _ in range(3_000)]
    trust = TrustList(
        1, [TrustedKey(k, KeyUse.TERMINAL, f"T{i:04}.1", 0) for i, k in enumerate(spki)]
    )
    data = encode_trust_list(trust)
    assert decode_trust_list(data) == trust
    assert len(data) < 8_000_000


def test_list_over_its_limit_is_refused_unread() -> None:
    with pytest.raises(CardCodecError, match="more than the 8000000"):
        decode_trust_list(canonical.encode(bytes(8_000_000)))
