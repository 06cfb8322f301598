"""``make fuzz``: bytes that go where the code has not been yet, into every reader of the road.

The first byte chooses the kind of message, the rest is read. A named error is an answer; anything
else ends the run with the bytes that did it, which stand beside the corpus as ``crash-…``.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["card_codec", "ledger", "sync_agent"]):
    from tests.messages import Message, messages

MESSAGES: list[Message] = list(messages().values())


def try_one(data: bytes) -> None:
    """Read the bytes as the message that the first of them names."""
    if not data:
        return
    message = MESSAGES[data[0] % len(MESSAGES)]
    try:
        read = message.read(data[1:])
    except message.errors:
        return
    if message.write is not None and message.write(read) != data[1:]:
        raise AssertionError("one meaning has one form")


def main() -> None:
    """``python -m tests.fuzz.target CORPUS SECONDS``."""
    corpus, seconds = Path(sys.argv[1]), int(sys.argv[2])
    corpus.mkdir(parents=True, exist_ok=True)
    for number, message in enumerate(MESSAGES):
        seed = bytes([number]) + message.good
        (corpus / hashlib.sha256(seed).hexdigest()[:20]).write_bytes(seed)
    options = [f"-max_total_time={seconds}", "-max_len=2048", f"-artifact_prefix={corpus}/"]
    atheris.Setup([sys.argv[0], str(corpus), *options], try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
