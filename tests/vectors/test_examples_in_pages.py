"""The examples of the spec pages are what the codec reads and writes."""

import re
from typing import Any

from card_codec import canonical
from card_codec.chip.record import encode_record
from card_codec.chip.tmac import Transaction, transaction_input, transaction_value
from card_codec.credential import VerifiedCredential, verify_credential
from card_codec.qr.text import read_text
from card_codec.status import StatusList
from card_codec.trust import KeyUse, decode_trust_list, encode_trust_list
from tests.chip_world import READER_ID, TAKEN, UID, tmac_key
from tests.vectors.loading import VECTORS, cases


def _blocks(page: str) -> list[str]:
    text = (VECTORS.parent / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def _vector(spec: str, name: str) -> Any:
    return next(case.values[0] for case in cases(spec, "valid") if case.id == name)


def test_canonical_cbor_page() -> None:
    head, *lines = _blocks("canonical-cbor")[0].partition("\n\n")[2].splitlines()
    data = bytes.fromhex(head[:2] + "".join(line[:24] for line in lines))
    value: dict[int | str, canonical.Value] = {
        1: "ID-KT",
        24: b"\x62\x99",
        -1: [True, None],
        "left": 0,
    }
    assert canonical.decode(data, size_max=100) == value
    assert canonical.encode(value) == data


def test_credential_page() -> None:
    data = bytes.fromhex(_blocks("credential")[0])
    vector = _vector("credential", "card")
    trust = decode_trust_list(bytes.fromhex(vector["input"]["trust"]))
    assert data.hex() == vector["input"]["data"]
    assert len(data) == 125
    assert isinstance(verify_credential(data, trust), VerifiedCredential)


def test_qr_text_page() -> None:
    text = "".join(_blocks("qr-text")[0].split())
    assert len(text) == 204
    assert read_text(text) == bytes.fromhex(_blocks("credential")[0])


def test_chip_profile_page() -> None:
    record, written, value = _blocks("chip-profile")[0].split("\n\n")
    page = (VECTORS.parent / "chip-profile.md").read_text(encoding="utf-8")
    uid, key, reader_id = map(bytes.fromhex, re.findall(r"`([0-9a-f]{14,32})`", page)[:3])
    assert encode_record(TAKEN) == bytes.fromhex(record)
    lines = written.split()
    done = Transaction(
        uid, 2, reader_id, bytes.fromhex("".join(lines))[17:33], encode_record(TAKEN)
    )
    assert transaction_input(done) == bytes.fromhex("".join(lines))
    assert transaction_value(key, done) == bytes.fromhex(value)
    assert (uid, key, reader_id) == (UID, tmac_key(), READER_ID)


def test_trust_list_page() -> None:
    said, written = _blocks("trust-list")
    data = bytes.fromhex(written)
    trust = decode_trust_list(data)
    (key,) = trust.keys
    assert len(data) == 83
    assert encode_trust_list(trust) == data
    assert (trust.version, key.use, key.holder) == (7, KeyUse.ISSUER, "Kalteng")
    assert f"h'{key.key.spki.hex()}'" in said
    assert f'"issuer", "Kalteng", {key.valid_from}, null, null' in said


def test_status_list_page() -> None:
    data = _blocks("status-list")[0].split()[-1]
    vector = _vector("status-list", "draft-example")
    assert data == vector["input"]
    status = StatusList.decode(bytes.fromhex(data))
    assert [i for i in range(16) if status.is_set(i)] == [0, 3, 4, 5, 7, 8, 9, 13, 15]
