"""Tables of the province's store. Everything is appended; nothing is changed or taken away.

They are laid down by ``migrations``; a test holds both together.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

metadata = MetaData()


def _chain() -> tuple[Column[int], Column[int], Column[int]]:
    return (
        Column("terminal", Integer, primary_key=True, autoincrement=False),
        Column("epoch", Integer, primary_key=True, autoincrement=False),
        Column("seq", BigInteger, primary_key=True, autoincrement=False),
    )


# The accepted log: each terminal's chain as it was received.
entry = Table(
    "entry",
    metadata,
    *_chain(),
    Column("leaf", LargeBinary(32), nullable=False),
    Column("body", LargeBinary, nullable=False),
)

# One for every batch that brought something new.
acknowledgement = Table(
    "acknowledgement",
    metadata,
    *_chain(),
    Column("head", LargeBinary(32), nullable=False),
    Column("signature", LargeBinary(64), nullable=False),  # the terminal's, over the head
    Column("road", String(10), nullable=False),
    Column("at", BigInteger, nullable=False),  # Unix seconds, when it was received
    Column("data", LargeBinary, nullable=False),  # as signed by the log key
)

# What entries of that kind say, for reading; follows from entry.
redemption = Table(
    "redemption",
    metadata,
    *_chain(),
    Column("leaf", LargeBinary(32), nullable=False),
    Column("household", LargeBinary(8), nullable=False),
    Column("issue", Integer, nullable=False),
    Column("member", Integer, nullable=False),
    Column("programme", Integer, nullable=False),
    Column("window", Integer, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("paid", BigInteger, nullable=False),
    Column("basis", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),  # Unix seconds, as the terminal judged it
    Column("officer", String(12), nullable=False),
    Column("kecamatan", String(6), nullable=False),  # whose usage feed carries it
    Column("arrival", BigInteger, nullable=False),  # Unix seconds, when it was received
    Index("redemption_of_right", "household", "programme", "window", "member"),
)

# Complaints of families about refusals, for reading; follows from entry. None is ever closed here.
complaint = Table(
    "complaint",
    metadata,
    *_chain(),
    Column("about", BigInteger, nullable=False),  # number of the refusal in its chain
    Column("reason", String(40), nullable=False),
    Column("household", LargeBinary(8)),  # null where nobody was recognised
    Column("member", Integer, nullable=False),
    Column("programme", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),  # Unix seconds, as the terminal judged it
    Column("kecamatan", String(6), nullable=False),  # the household's, or the terminal's home
)

# Redemptions that their own terminal and epoch, or a correction of the kecamatan, took back.
voided = Table(
    "voided",
    metadata,
    *_chain(),
)

# Which usage segment carries a redemption.
published = Table(
    "published",
    metadata,
    *_chain(),
    Column("kecamatan", String(6), nullable=False),
    Column("number", Integer, nullable=False),
)

# Evidence: signed entries under numbers that the log holds otherwise.
fork = Table(
    "fork",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),  # SHA-256 of the batch
    Column("terminal", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),  # first entry that differs
    Column("last", BigInteger, nullable=False),  # its last entry
    Column("at", BigInteger, nullable=False),
    Column("batch", LargeBinary, nullable=False),  # the diverging branch as it was received
)

# Signed proofs of entries that had not arrived when they were shown.
missing = Table(
    "missing",
    metadata,
    *_chain(),
    Column("leaf", LargeBinary(32), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("batch", LargeBinary, nullable=False),  # the proof as it was received, or the slip
)

# Evidence whose elements a usage segment carries: the digest of a branch, or the leaf of a proof.
evidence_published = Table(
    "evidence_published",
    metadata,
    Column("name", LargeBinary(32), primary_key=True),
)

# Cards blocked by the province, each after the clearing of that number (0: none).
blocked = Table(
    "blocked",
    metadata,
    Column("household", LargeBinary(8), primary_key=True),
    Column("issue", Integer, primary_key=True, autoincrement=False),
    Column("after", BigInteger, primary_key=True, autoincrement=False),
    Column("reason", String(40), nullable=False),
    Column("at", BigInteger, nullable=False),
)

# Blocks that a kecamatan took off, by the number of its changes that say so.
cleared = Table(
    "cleared",
    metadata,
    Column("household", LargeBinary(8), primary_key=True),
    Column("issue", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
)

# Redemptions that a kecamatan took back, whether they are held or not, each of one household.
corrected = Table(
    "corrected",
    metadata,
    *_chain(),
    Column("household", LargeBinary(8), primary_key=True),
    Column("number", BigInteger, nullable=False),  # of the changes that first said so
    Column("at", BigInteger, nullable=False),  # Unix seconds, when it was released here
)

# Codes of heads as somebody told them before the entry had arrived.
told = Table(
    "told",
    metadata,
    *_chain(),
    Column("code", String(9), primary_key=True),
    Column("at", BigInteger, nullable=False),
)

# Codes that somebody had misheard.
withdrawn = Table(
    "withdrawn",
    metadata,
    *_chain(),
    Column("code", String(9), primary_key=True),
    Column("at", BigInteger, nullable=False),
)

# Windows whose cases stand: signed by the log key, with how far each chain was held.
settlement = Table(
    "settlement",
    metadata,
    Column("programme", Integer, primary_key=True, autoincrement=False),
    Column("window", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

# Sealed segments of the accepted log, and which entries of which chain each holds.
segment = Table(
    "segment",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("entries", BigInteger, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),  # of the entries' names, in order
    Column("file", LargeBinary(32), nullable=False),  # SHA-256 of the Parquet file
    Column("at", BigInteger, nullable=False),
)
segment_mark = Table(
    "segment_mark",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("terminal", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
)

# Redemptions by chip, as they stood before their card was asked; each is a redemption, too.
pending = Table(
    "pending",
    metadata,
    *_chain(),
    Column("uid", LargeBinary(7), nullable=False),
    Column("counter", BigInteger, nullable=False),  # of the chip before
)

# Pending redemptions, and voids, that their own terminal says the chip has committed.
committed = Table("committed", metadata, *_chain())

# Whose record a chip wrote with which commit, as a terminal has signed it: its own, or seen.
card_commit = Table(
    "card_commit",
    metadata,
    Column("uid", LargeBinary(7), primary_key=True),
    Column("counter", BigInteger, primary_key=True, autoincrement=False),
    *_chain(),  # of the redemption that the record names
    Column("kind", Integer, primary_key=True, autoincrement=False),  # of the record
)

# Which earlier entry of its chain an entry is about: a void its redemption, a commit either.
naming = Table(
    "naming",
    metadata,
    *_chain(),
    Column("names", BigInteger, nullable=False),
    Index("naming_of", "terminal", "epoch", "names"),
)

# Files of the issuer's verdicts on Transaction MACs, whole, in the order they were taken.
verdict_file = Table(
    "verdict_file",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary(32), nullable=False),  # SHA-256 of the file
    Column("at", BigInteger, nullable=False),  # Unix seconds, when it was taken
    Column("data", LargeBinary, nullable=False),
)

# What the issuer found of each commit of a chip. Two findings of one commit both stay.
mac_verdict = Table(
    "mac_verdict",
    metadata,
    Column("uid", LargeBinary(7), primary_key=True),
    Column("counter", BigInteger, primary_key=True, autoincrement=False),
    Column("record", LargeBinary(16), primary_key=True),
    Column("value", LargeBinary(8), primary_key=True),
    Column("finding", Integer, primary_key=True, autoincrement=False),
    Column("household", LargeBinary(8), primary_key=True),  # of the chip; empty: not known
    Column("kid", LargeBinary(4), primary_key=True),  # of the key that signed it
    Column("terminal", Integer, nullable=False),  # with the next two: what the record names
    Column("epoch", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("file", Integer, nullable=False),  # the first that says so
    Index("verdict_on", "terminal", "epoch", "seq"),
)
