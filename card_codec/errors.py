"""The one error of this package.

- CardCodecError: bytes, text or a picture that this package cannot accept
"""


class CardCodecError(Exception):
    """Input that is not what it should be; never a defect of ours.

    Attributes:
        code: a value of `card_codec.reason.Reason`, such as ``"malformed"``.
        detail: one human sentence piece in English, without a full stop, for logs and stderr.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


def malformed(detail: str) -> CardCodecError:
    """The error for content that breaks its format; `detail` says where."""
    return CardCodecError("malformed", detail)
