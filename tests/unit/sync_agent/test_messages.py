"""Messages: one form each; anything else is a named error."""

from contextlib import suppress

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ledger.record import compress, pack
from sync_agent.errors import MessageError
from sync_agent.messages import (
    BATCH_SIZE_MAX,
    OFFER_FILES_MAX,
    Batch,
    HeadAnswer,
    OfferItem,
    Taken,
    read_batch,
    read_json,
    read_offer,
    read_taken,
    write_batch,
    write_taken,
)

BATCH = Batch("khb-batch-1", 1, 1, 7, (b"one entry", b"another"), b"s" * 64)
TAKEN = Taken("khb-taken-1", 2, 1, 1, 8, b"acknowledgement")
HASH = "ab" * 32


def offer(*paths: str, size: int = 1) -> bytes:
    return msgspec.json.encode([OfferItem(path, size, HASH) for path in paths])


def test_batch_and_answer_come_back_as_they_were_written() -> None:
    assert read_batch(write_batch(BATCH)) == BATCH
    assert BATCH.end == 8
    assert read_taken(write_taken(TAKEN)) == TAKEN


@pytest.mark.parametrize("written", [write_batch(BATCH), write_taken(TAKEN)])
def test_cut_at_every_byte_is_refused(written: bytes) -> None:
    read = read_batch if written == write_batch(BATCH) else read_taken
    for length in range(len(written)):
        with pytest.raises(MessageError):
            read(written[:length])
    with pytest.raises(MessageError):
        read(written + b"\0")


@pytest.mark.parametrize(
    "wrong",
    [
        {"terminal": 0},
        {"epoch": 0},
        {"start": 0},
        {"entries": ()},
        {"entries": (b"",)},
        {"entries": (b"x" * 1025,)},
        {"entries": (b"x",) * 501},
        {"signature": b"s" * 63},
        {"terminal": True},
        {"form": "khb-batch-2"},
    ],
)
def test_batch_out_of_bounds_is_refused(wrong: dict[str, object]) -> None:
    batch = msgspec.structs.replace(BATCH, **wrong)
    with pytest.raises(MessageError):
        read_batch(compress(pack(batch)))


def test_bomb_is_refused_by_the_size_it_declares() -> None:
    with pytest.raises(MessageError, match="too large"):
        read_batch(compress(b"\0" * (BATCH_SIZE_MAX + 1)))


def test_bomb_that_hides_its_size_is_refused() -> None:
    hiding = zstandard.ZstdCompressor(write_content_size=False)
    with pytest.raises(MessageError, match="hides its size"):
        read_batch(hiding.compress(b"\0" * 10_000_000))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_a_named_error(data: bytes) -> None:
    for reader in (read_batch, read_taken, read_offer, lambda d: read_json(d, HeadAnswer)):
        for given_bytes in (data, compress(data)):
            with suppress(MessageError):
                assert reader(given_bytes) == [], "an empty offer is the only thing this short"


@given(st.data())
def test_any_changed_byte_is_another_batch_or_a_named_error(data) -> None:
    plain = bytearray(pack(BATCH))
    at = data.draw(st.integers(0, len(plain) - 1))
    plain[at] ^= data.draw(st.integers(1, 255))
    try:
        read = read_batch(compress(bytes(plain)))
    except MessageError:
        return
    assert pack(read) == bytes(plain)


@pytest.mark.parametrize(
    "path",
    [
        "metadata/timestamp.json",
        "metadata/12.root.json",
        "metadata/3.changes-629901.json",
        f"targets/rights/629901/{HASH}.base.cbor.zst",
        f"targets/status/{HASH}.629901.cbor",
        "acknowledgements/1-1-17.cose",
    ],
)
def test_offer_of_what_belongs_in_an_in_box_is_read(path: str) -> None:
    assert [item.path for item in read_offer(offer(path))] == [path]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../keys/terminal.pem",
        "metadata/../../keys/terminal.pem",
        "metadata/root.json",
        "metadata/01.root.json",
        "metadata/1.root.json\n",
        "metadata/sub/1.root.json",
        "keys/root.json",
        f"targets/{HASH}.x/../../y",
        f"targets/rights/../{HASH}.base",
        f"targets/rights/.hidden/{HASH}.base",
        "targets/rights/629901/base.cbor.zst",
        "acknowledgements/1-1-0.cose",
        "acknowledgements/x.cose",
        "acknowledgements/1-1-17.cose/x",
        "journal.db",
    ],
)
def test_offer_of_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(MessageError):
        read_offer(offer(path))


def test_offer_too_large_or_doubled_is_refused() -> None:
    with pytest.raises(MessageError, match="twice"):
        read_offer(offer("metadata/1.root.json", "metadata/1.root.json"))
    with pytest.raises(MessageError, match="too many"):
        read_offer(offer(*(f"metadata/{n}.root.json" for n in range(1, OFFER_FILES_MAX + 2))))
    many = offer(*(f"metadata/{n}.root.json" for n in range(1, 10)), size=64 * 1024 * 1024)
    with pytest.raises(MessageError, match="too many"):
        read_offer(many)
    with pytest.raises(MessageError):
        read_offer(offer("metadata/1.root.json", size=64 * 1024 * 1024 + 1))


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b'{"seq":true,"head":""}', b'{"seq":-1,"head":"' + HASH.encode() + b'"}',
     b'{"seq":1,"head":"AB"}', b'{"seq":1.0,"head":"' + HASH.encode() + b'"}',
     b'{"seq":1,"head":"' + HASH.encode() + b'","more":1}', b"[" * 100_000, b"\xff\xfe"],
)  # fmt: skip
def test_head_of_another_shape_is_refused(data: bytes) -> None:
    with pytest.raises(MessageError):
        read_json(data, HeadAnswer)
