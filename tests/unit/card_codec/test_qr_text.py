import pytest

from card_codec.errors import CardCodecError
from card_codec.qr.text import RECEIPT_LENGTH_MAX, RECEIPT_PREFIX, read_text, write_text
from tests.unit.card_codec.samples import card_text


def _code(text: str, length_max: int = 1_600) -> str:
    with pytest.raises(CardCodecError) as caught:
        read_text(text, length_max=length_max)
    return caught.value.code


@pytest.mark.parametrize("size", range(1, 12))
def test_no_two_last_characters_give_the_same_content(size: int) -> None:
    data = bytes(range(200, 200 + size))
    text = write_text(data)
    contents = []
    for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567":
        heard = _heard(text[:-1] + last)
        if isinstance(heard, bytes):
            contents.append(heard)
    assert data in contents
    assert len(set(contents)) == len(contents) == 2 ** {1: 3, 2: 1, 3: 4, 4: 2, 0: 5}[size % 5]


def test_receipts_have_their_own_prefix_and_a_longer_limit() -> None:
    data = bytes(2_000)
    text = write_text(data, RECEIPT_PREFIX)
    assert text.startswith("KHR1")
    assert read_text(text.lower(), RECEIPT_PREFIX, length_max=RECEIPT_LENGTH_MAX) == data
    assert _code(text, length_max=RECEIPT_LENGTH_MAX) == "malformed"
    with pytest.raises(CardCodecError):
        read_text(text, RECEIPT_PREFIX)


@pytest.mark.parametrize("letter", ["ı", "ſ", "ß", "ﬁ", "Å", "五"])
def test_letters_that_upper_case_turns_into_others_are_refused(letter: str) -> None:
    assert _code("KHB1" + letter + "AAAAAAA") == "malformed"
    assert _code("K" + letter + "B1AAAAAAA") == "malformed"


def test_layout_is_blamed_only_for_characters_no_code_has() -> None:
    text = card_text()
    assert _code(text[:20] + "-" + text[21:]) == "scanner_layout"
    assert _code("KHB!" + text[4:]) == "malformed"
    assert _code("KHB1-AAA") == "malformed"  # too short to be a scan


def test_swapped_y_and_z_are_refused_and_never_misread() -> None:
    text = write_text(bytes.fromhex("c0ffee") * 20).replace("Y", "Z")
    swapped = text.translate(str.maketrans("YZ", "ZY"))
    assert swapped != text
    heard = {_heard(text), _heard(swapped)}
    assert len(heard) == 2


def _heard(text: str) -> bytes | str:
    try:
        return read_text(text)
    except CardCodecError as exc:
        return exc.code


@pytest.mark.parametrize(
    "text",
    ["0 1", "6299010101900003", "HTTPS://EXAMPLE.ORG/A", '{"a":1}', "<x/>", "BEGIN:VCARD\nEND"],
)
def test_other_codes_are_told_from_damage(text: str) -> None:
    assert _code(text) == "not_our_card"


@pytest.mark.parametrize("text", ["", " \r\n", "KHB", "KHB1", "ABC", "123", "AHB1MFRGG", "\x00"])
def test_doubtful_texts_are_malformed(text: str) -> None:
    assert _code(text) == "malformed"
