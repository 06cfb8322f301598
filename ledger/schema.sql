-- journal.db: what was given. Entries are the truth; elements are the union as known here.

CREATE TABLE identity (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    terminal INTEGER NOT NULL,
    epoch    INTEGER NOT NULL,
    spki     BLOB    NOT NULL
) STRICT;

CREATE TABLE entry (
    seq       INTEGER PRIMARY KEY,
    kind      INTEGER NOT NULL,
    early     INTEGER NOT NULL,
    body      BLOB NOT NULL,
    leaf      BLOB NOT NULL CHECK (length(leaf) = 32),
    signature BLOB CHECK (length(signature) = 64)  -- of the last entry of each act
) STRICT;

-- One redemption, by whichever road it came. The primary key IS the union: the right first, so
-- that what is taken of it lies together, then all else an element says, so that nobody hides one
-- by naming another under its id and leaf first.
CREATE TABLE element (
    household BLOB    NOT NULL CHECK (length(household) = 8),
    programme INTEGER NOT NULL,
    window    INTEGER NOT NULL,
    member    INTEGER NOT NULL,
    terminal  INTEGER NOT NULL,
    epoch     INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    leaf      BLOB    NOT NULL CHECK (length(leaf) = 8),
    quantity  INTEGER NOT NULL,
    minute    INTEGER NOT NULL,
    basis     INTEGER NOT NULL,  -- 0 when it came from elsewhere
    PRIMARY KEY (household, programme, window, member, terminal, epoch, seq, leaf, quantity, minute)
) STRICT, WITHOUT ROWID;

CREATE INDEX element_beyond_home ON element (basis) WHERE basis > 1;

-- A void counts for every element of its id.
CREATE TABLE voided (
    terminal INTEGER NOT NULL,
    epoch    INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    PRIMARY KEY (terminal, epoch, seq)
) STRICT, WITHOUT ROWID;

-- A correction of the kecamatan counts for what its household took under that id, whenever that is
-- heard of, and for nobody else's. From signed changes; kept for good, as the changes keep them.
CREATE TABLE corrected (
    terminal  INTEGER NOT NULL,
    epoch     INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    household BLOB    NOT NULL CHECK (length(household) = 8),
    PRIMARY KEY (terminal, epoch, seq, household)
) STRICT, WITHOUT ROWID;

-- Elements that stand: neither voided by their own terminal nor taken back by a correction.
CREATE VIEW standing AS
SELECT * FROM element e
WHERE NOT EXISTS (SELECT 1 FROM voided v
    WHERE v.terminal = e.terminal AND v.epoch = e.epoch AND v.seq = e.seq)
AND NOT EXISTS (SELECT 1 FROM corrected c WHERE c.terminal = e.terminal AND c.epoch = e.epoch
    AND c.seq = e.seq AND c.household = e.household);

-- Redemptions of this terminal that were taken back, by whichever of the two.
CREATE VIEW taken_back AS
SELECT terminal, epoch, seq FROM voided
UNION ALL
SELECT c.terminal, c.epoch, c.seq FROM corrected c WHERE EXISTS (SELECT 1 FROM element e
    WHERE e.household = c.household AND e.terminal = c.terminal AND e.epoch = c.epoch
    AND e.seq = c.seq AND e.basis != 0);

-- Redemptions by chip of this chain. One that is neither committed nor voided is open: only its card
-- can say what became of it.
CREATE TABLE pending (
    seq     INTEGER PRIMARY KEY,
    uid     BLOB    NOT NULL CHECK (length(uid) = 7),
    counter INTEGER NOT NULL
) STRICT;

CREATE INDEX pending_of_chip ON pending (uid);

-- What a chip is known to have committed: number of the pending entry or of the void, and of the
-- entry that says so.
CREATE TABLE committed (
    seq INTEGER PRIMARY KEY,
    by  INTEGER NOT NULL
) STRICT;

CREATE TABLE chip_void (
    seq        INTEGER PRIMARY KEY,
    redemption INTEGER NOT NULL
) STRICT;

-- Commits of chips that are known here, by the chip's counter.
CREATE TABLE card_commit (
    uid     BLOB    NOT NULL CHECK (length(uid) = 7),
    counter INTEGER NOT NULL,
    PRIMARY KEY (uid, counter)
) STRICT, WITHOUT ROWID;

-- Usage segments taken in: none is taken in twice, the next is known, and fsck can say which
-- elements from elsewhere must be there. A province put back from a copy uses numbers again, so
-- that a segment is named by its bytes, too. Of settled windows only that name stays.
CREATE TABLE segment (
    kecamatan TEXT    NOT NULL,
    number    INTEGER NOT NULL,
    digest    BLOB    NOT NULL CHECK (length(digest) = 32),
    data      BLOB    NOT NULL,
    PRIMARY KEY (kecamatan, number, digest)
) STRICT;

-- The newest signed times, and when on this machine they were learned.
CREATE TABLE floor (
    name     TEXT PRIMARY KEY,
    time     INTEGER NOT NULL,
    boottime INTEGER NOT NULL,
    boot_id  BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE acknowledgement (
    seq  INTEGER PRIMARY KEY,
    head BLOB    NOT NULL,
    at   INTEGER NOT NULL,
    data BLOB    NOT NULL
) STRICT;

-- Up to which entry the journal was pruned: acknowledged, archived and settled. The next one follows
-- its leaf.
CREATE TABLE pruned (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    seq     INTEGER NOT NULL,
    leaf    BLOB    NOT NULL CHECK (length(leaf) = 32),
    archive BLOB    NOT NULL CHECK (length(archive) = 32)  -- SHA-256 of the copy that was proven
) STRICT;

-- Entries of earlier epochs of this terminal, as a copy that was brought back held them: they count
-- as taken, and are never gone on with. They begin after the entry up to which that copy was pruned.
CREATE TABLE former_epoch (
    epoch INTEGER PRIMARY KEY,
    spki  BLOB    NOT NULL,
    after INTEGER NOT NULL,
    leaf  BLOB    CHECK (length(leaf) = 32)
) STRICT;

CREATE TABLE former (
    epoch     INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    body      BLOB NOT NULL,
    leaf      BLOB NOT NULL CHECK (length(leaf) = 32),
    signature BLOB CHECK (length(signature) = 64),
    PRIMARY KEY (epoch, seq)
) STRICT, WITHOUT ROWID;

-- Guards against our own mistakes. REPLACE fires no trigger for what it deletes, so it is stopped
-- before it inserts.
CREATE TRIGGER entry_follows_the_last BEFORE INSERT ON entry
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM entry)
BEGIN SELECT RAISE(ABORT, 'an entry follows the last one'); END;
CREATE TRIGGER entry_never_updated BEFORE UPDATE ON entry
BEGIN SELECT RAISE(ABORT, 'an entry is never changed'); END;
CREATE TRIGGER entry_never_deleted BEFORE DELETE ON entry
BEGIN SELECT RAISE(ABORT, 'an entry is never deleted'); END;
CREATE TRIGGER former_never_updated BEFORE UPDATE ON former
BEGIN SELECT RAISE(ABORT, 'an entry is never changed'); END;
CREATE TRIGGER former_never_deleted BEFORE DELETE ON former
BEGIN SELECT RAISE(ABORT, 'an entry is never deleted'); END;
CREATE TRIGGER element_never_updated BEFORE UPDATE ON element
BEGIN SELECT RAISE(ABORT, 'an element is never changed'); END;
CREATE TRIGGER element_never_deleted BEFORE DELETE ON element
WHEN OLD.basis != 0  -- what came from elsewhere goes when its window is settled
BEGIN SELECT RAISE(ABORT, 'an element of this terminal is never deleted'); END;
CREATE TRIGGER voided_never_updated BEFORE UPDATE ON voided
BEGIN SELECT RAISE(ABORT, 'a void is never changed'); END;
CREATE TRIGGER voided_never_deleted BEFORE DELETE ON voided
BEGIN SELECT RAISE(ABORT, 'a void is never deleted'); END;
CREATE TRIGGER corrected_never_updated BEFORE UPDATE ON corrected
BEGIN SELECT RAISE(ABORT, 'a correction is never changed'); END;
CREATE TRIGGER corrected_never_deleted BEFORE DELETE ON corrected
BEGIN SELECT RAISE(ABORT, 'a correction is never deleted'); END;
CREATE TRIGGER pending_never_updated BEFORE UPDATE ON pending
BEGIN SELECT RAISE(ABORT, 'a pending redemption is never changed'); END;
CREATE TRIGGER pending_never_deleted BEFORE DELETE ON pending
BEGIN SELECT RAISE(ABORT, 'a pending redemption is never deleted'); END;
CREATE TRIGGER committed_never_updated BEFORE UPDATE ON committed
BEGIN SELECT RAISE(ABORT, 'a commit is never changed'); END;
CREATE TRIGGER committed_never_deleted BEFORE DELETE ON committed
BEGIN SELECT RAISE(ABORT, 'a commit is never deleted'); END;
CREATE TRIGGER chip_void_never_updated BEFORE UPDATE ON chip_void
BEGIN SELECT RAISE(ABORT, 'a void is never changed'); END;
CREATE TRIGGER chip_void_never_deleted BEFORE DELETE ON chip_void
BEGIN SELECT RAISE(ABORT, 'a void is never deleted'); END;
CREATE TRIGGER card_commit_never_updated BEFORE UPDATE ON card_commit
BEGIN SELECT RAISE(ABORT, 'a commit is never changed'); END;
CREATE TRIGGER card_commit_never_deleted BEFORE DELETE ON card_commit
BEGIN SELECT RAISE(ABORT, 'a commit is never deleted'); END;
CREATE TRIGGER identity_never_updated BEFORE UPDATE ON identity
BEGIN SELECT RAISE(ABORT, 'a journal stays the same terminal''s'); END;
CREATE TRIGGER identity_never_deleted BEFORE DELETE ON identity
BEGIN SELECT RAISE(ABORT, 'a journal stays the same terminal''s'); END;
