"""Messages: one form each; anything else is a named error."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.record import compress
from sync_agent.errors import MessageError
from sync_agent.messages import (
    OFFER_FILES_MAX,
    HeadAnswer,
    OfferItem,
    Taken,
    read_json,
    read_offer,
    read_taken,
    write_taken,
)

TAKEN = Taken("khb-taken-1", 2, 1, 1, 8, b"acknowledgement")
HASH = "ab" * 32


def offer(*paths: str, size: int = 1) -> bytes:
    return msgspec.json.encode([OfferItem(path, size, HASH) for path in paths])


def test_answer_comes_back_as_it_was_written() -> None:
    assert read_taken(write_taken(TAKEN)) == TAKEN


def test_answer_cut_at_every_byte_is_refused() -> None:
    written = write_taken(TAKEN)
    for length in range(len(written)):
        with pytest.raises(MessageError):
            read_taken(written[:length])
    with pytest.raises(MessageError):
        read_taken(written + b"\0")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_a_named_error(data: bytes) -> None:
    for reader in (read_taken, read_offer, lambda d: read_json(d, HeadAnswer)):
        for given_bytes in (data, compress(data)):
            with suppress(MessageError):
                assert reader(given_bytes) == [], "an empty offer is the only thing this short"


@pytest.mark.parametrize(
    "path",
    [
        "metadata/timestamp.json",
        "metadata/12.root.json",
        "metadata/3.changes-629901.json",
        f"targets/rights/629901/{HASH}.base.cbor.zst",
        f"targets/status/629901/{HASH}.list.cbor",
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
