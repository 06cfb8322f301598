import pytest

from card_codec.cose import open_sign1, sign1
from card_codec.errors import CardCodecError
from card_codec.keys import Algorithm, PrivateKey, PublicKey
from tests.unit.card_codec.samples import ISSUER, MODULE


def _find(kid: bytes) -> PublicKey | None:
    keys = {key.public.kid: key.public for key in (ISSUER, MODULE)}
    return keys.get(kid)


@pytest.mark.parametrize("key", [ISSUER, MODULE], ids=["EdDSA", "ES256"])
def test_signed_payload_comes_back_with_its_key(key: PrivateKey) -> None:
    assert open_sign1(sign1(b"payload", key), _find) == (b"payload", key.public)


def test_unknown_key_is_told_apart_from_a_wrong_signature() -> None:
    stranger = PrivateKey.generate(Algorithm.EDDSA)
    with pytest.raises(CardCodecError) as caught:
        open_sign1(sign1(b"payload", stranger), _find)
    assert caught.value.code == "unknown_issuer"
    assert stranger.public.kid.hex() in caught.value.detail


def test_key_that_is_found_but_is_another_does_not_verify() -> None:
    with pytest.raises(CardCodecError) as caught:
        open_sign1(sign1(b"payload", ISSUER), lambda kid: PrivateKey.generate().public)
    assert caught.value.code == "bad_signature"


def test_limit_is_the_callers() -> None:
    data = sign1(bytes(2_000), ISSUER)
    with pytest.raises(CardCodecError):
        open_sign1(data, _find)
    assert open_sign1(data, _find, size_max=3_000)[0] == bytes(2_000)


def test_every_changed_byte_is_refused() -> None:
    for key in (ISSUER, MODULE):
        data = sign1(b"payload", key)
        for at in range(len(data)):
            for bit in range(8):
                changed = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
                with pytest.raises(CardCodecError):
                    open_sign1(changed, _find)
