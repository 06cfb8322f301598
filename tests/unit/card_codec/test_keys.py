import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from card_codec.errors import CardCodecError
from card_codec.keys import Algorithm, PrivateKey, PublicKey

P256_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.mark.parametrize("algorithm", Algorithm)
def test_signature_verifies_under_its_key_and_message_only(algorithm: Algorithm) -> None:
    key, other = PrivateKey.generate(algorithm), PrivateKey.generate(algorithm)
    signature = key.sign(b"message")
    assert len(signature) == 64
    key.public.verify(signature, b"message")
    for public, message, changed in (
        (other.public, b"message", signature),
        (key.public, b"massage", signature),
        (key.public, b"message", signature[:-1] + bytes([signature[-1] ^ 1])),
        (key.public, b"message", signature[:-1]),
        (key.public, b"message", signature + b"\x00"),
        (key.public, b"message", bytes(64)),
        (key.public, b"message", b"\xff" * 64),
    ):
        with pytest.raises(CardCodecError) as caught:
            public.verify(changed, message)
        assert caught.value.code == "bad_signature"


def test_second_form_of_an_es256_signature_is_refused() -> None:
    key = PrivateKey.generate(Algorithm.ES256)
    for number in range(20):  # the library gives the higher s for half of them
        message = bytes([number])
        signature = key.sign(message)
        s = int.from_bytes(signature[32:], "big")
        assert s <= P256_N // 2
        with pytest.raises(CardCodecError):
            key.public.verify(signature[:32] + (P256_N - s).to_bytes(32, "big"), message)


@pytest.mark.parametrize("algorithm", Algorithm)
def test_keys_survive_their_files(algorithm: Algorithm) -> None:
    key = PrivateKey.generate(algorithm)
    again = PrivateKey.from_pem(key.to_pem())
    assert again.public == key.public == PublicKey.from_spki(key.public.spki)
    assert PublicKey.from_pem(key.public.to_pem()) == key.public
    assert key.public.algorithm is algorithm
    assert key.public.kid == hashlib.sha256(key.public.spki).digest()[:4]
    key.public.verify(again.sign(b"m"), b"m")


def test_no_repr_shows_a_secret() -> None:
    key = PrivateKey.generate()
    secret = key.to_pem().decode().splitlines()[1]
    assert secret not in repr(key)
    assert "_secret" not in repr(key)


def test_other_kinds_of_keys_are_refused() -> None:
    rsa_key = rsa.generate_private_key(65537, 2048)
    curve = ec.generate_private_key(ec.SECP384R1())
    for key in (rsa_key, curve):
        spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        with pytest.raises(CardCodecError):
            PublicKey.from_spki(spki)
        with pytest.raises(CardCodecError):
            PublicKey.from_pem(
                key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            )
        with pytest.raises(CardCodecError, match="neither Ed25519 nor P-256"):
            PrivateKey.from_pem(
                key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            )


def test_second_encoding_of_one_key_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    head = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
    with pytest.raises(CardCodecError, match="only DER form"):
        PublicKey.from_spki(head + point)


def test_locked_key_file_is_refused_with_a_sentence() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pw"))
    with pytest.raises(CardCodecError, match="unencrypted private key in PEM form"):
        PrivateKey.from_pem(locked)


@pytest.mark.parametrize("data", [b"", b"not a key", b"\xff" * 40, b"A" * 5000])
def test_files_that_are_no_keys_are_refused(data: bytes) -> None:
    for read in (PublicKey.from_spki, PublicKey.from_pem, PrivateKey.from_pem):
        with pytest.raises(CardCodecError) as caught:
            read(data)
        assert caught.value.code == "malformed"
    with pytest.raises(CardCodecError):
        PublicKey.from_pem(data.decode("latin-1"))


def test_private_key_in_the_place_of_a_public_one_is_refused() -> None:
    key = PrivateKey.generate()
    with pytest.raises(CardCodecError):
        PublicKey.from_pem(key.to_pem())
    with pytest.raises(CardCodecError):
        PrivateKey.from_pem(key.public.to_pem().encode())
