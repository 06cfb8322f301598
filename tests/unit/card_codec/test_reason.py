import re

from card_codec.reason import Reason, ReasonRow, Severity, row, rows

# Numbers of messages that are no refusals: reader, printer, nearly full, battery, power.
TAKEN_BY_OTHER_MESSAGES = {"HB-41", "HB-51", "HB-54", "HB-55", "HB-56", "HB-92"}


def test_table_and_enum_name_the_same_codes_in_the_same_order() -> None:
    assert list(rows()) == list(Reason)


def test_hb_numbers_are_well_formed_unique_and_free() -> None:
    numbers = [line.hb for line in rows().values()]
    assert all(re.fullmatch(r"HB-[0-9]{2}", number) for number in numbers)
    assert len(set(numbers)) == len(numbers)
    assert not set(numbers) & TAKEN_BY_OTHER_MESSAGES


def test_every_row_has_its_three_texts() -> None:
    for line in rows().values():
        assert re.fullmatch(r"status\.[a-z_]+", line.status_key), line
        assert re.fullmatch(r"e\.[a-z_]+", line.sentence_key), line
        assert re.fullmatch(r"w\.[a-z_]+", line.explain_key), line


def test_each_reason_has_a_sentence_of_its_own() -> None:
    keys = [line.sentence_key for line in rows().values()]
    assert len(set(keys)) == len(keys)


def test_no_refusal_is_green() -> None:
    assert all(line.severity is not Severity.OK for line in rows().values())


def test_row_is_found_by_its_reason() -> None:
    assert row(Reason.ALREADY_REDEEMED) == ReasonRow(
        code=Reason.ALREADY_REDEEMED,
        hb="HB-21",
        status_key="status.already_taken",
        sentence_key="e.taken",
        explain_key="w.taken",
        severity=Severity.AMBER,
    )
