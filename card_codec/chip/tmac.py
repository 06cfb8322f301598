"""The Transaction MAC: what a chip signs about each commit, and how its issuer checks it.

The key is the issuer's alone; a terminal carries the value home without being able to make or
check one. Rules and their sources: docs/spec/chip-profile.md §7; that a whole value comes out so on
a real chip is not proven by any public vector.

    SesTMMAC = CMAC(KTM, 5A00010080 || TMC || UID)    SesTMENC = CMAC(KTM, A500010080 || TMC || UID)
    TMV      = MACt(SesTMMAC, TMI)
"""

from dataclasses import dataclass, field

from card_codec.chip import aes
from card_codec.chip.diversify import UID_BYTES

READER_ID_BYTES = 16
TMV_BYTES = 8
COUNTER_MAX = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class TransactionKeys:
    """The keys of one transaction, 16 bytes each."""

    mac: bytes = field(repr=False)
    enc: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Transaction:
    """What a terminal carries home of one commit.

    Attributes:
        uid: of the chip, 7 bytes.
        counter: the Transaction MAC counter (TMC) that the chip gave with the value.
        reader_id: what CommitReaderID was given, 16 bytes.
        enc_reader_id: what it answered: the reader id before, enciphered for the issuer, 16 bytes.
        record: the record that was written, 16 bytes.
    """

    uid: bytes
    counter: int
    reader_id: bytes
    enc_reader_id: bytes
    record: bytes


def transaction_keys(key: bytes, uid: bytes, counter: int) -> TransactionKeys:
    """The keys of the transaction that left the counter at this value."""
    if len(uid) != UID_BYTES:
        raise ValueError("a Transaction MAC is made for chips with a UID of 7 bytes")
    context = b"\x00\x01\x00\x80" + counter.to_bytes(4, "little") + uid
    return TransactionKeys(
        mac=aes.cmac(key, b"\x5a" + context), enc=aes.cmac(key, b"\xa5" + context)
    )


def transaction_input(done: Transaction) -> bytes:
    """TMI: what KHB-1 does between two commits, in whole blocks (chip-profile §7)."""
    reader = b"\xc8" + done.reader_id + done.enc_reader_id
    write = b"\x8b\x01" + bytes(3) + len(done.record).to_bytes(3, "little")
    return b"".join(_zero_padded(piece) for piece in (reader, write, done.record))


def transaction_value(key: bytes, done: Transaction) -> bytes:
    """TMV, 8 bytes, as the chip must have given it.

    Args:
        key: the chip's own Transaction MAC key, 16 bytes.
        done: what was committed.
    """
    keys = transaction_keys(key, done.uid, done.counter)
    return aes.short_mac(keys.mac, transaction_input(done))


def previous_reader_id(key: bytes, done: Transaction) -> bytes:
    """The reader id (16 bytes) of the commit before, as the chip told its issuer."""
    keys = transaction_keys(key, done.uid, done.counter)
    return aes.decrypt_cbc(keys.enc, done.enc_reader_id)


def enciphered_reader_id(key: bytes, uid: bytes, counter: int, *, before: bytes) -> bytes:
    """What CommitReaderID answered (16 bytes), for who knows the commit before it.

    Args:
        key: the chip's own Transaction MAC key, 16 bytes.
        uid: of the chip, 7 bytes.
        counter: TMC after this commit.
        before: reader id of the commit before, 16 bytes.
    """
    return aes.encrypt_cbc(transaction_keys(key, uid, counter).enc, before)


def reader_id(terminal: int, epoch: int) -> bytes:
    """The 16 bytes that name a terminal to the issuer: ``T001.1``; ``T000.0`` is the card station.

    Args:
        terminal: its ordinal, 0 to 65,535.
        epoch: its epoch, 0 to 255.
    """
    return f"T{terminal:03d}.{epoch}".encode("ascii").ljust(READER_ID_BYTES, b"\x00")


def _zero_padded(piece: bytes) -> bytes:
    return piece + bytes(-len(piece) % aes.BLOCK_BYTES)
