"""Status bytes of a DESFire chip, and the one way a command of the double is refused."""

OK = 0x00
NO_CHANGES = 0x0C
ILLEGAL_COMMAND = 0x1C
INTEGRITY = 0x1E
NO_SUCH_KEY = 0x40
LENGTH = 0x7E
PERMISSION = 0x9D
PARAMETER = 0x9E
NO_APPLICATION = 0xA0
AUTHENTICATION = 0xAE
MORE = 0xAF
BOUNDARY = 0xBE
ABORTED = 0xCA
DUPLICATE = 0xDE
NO_FILE = 0xF0


class StatusRefusal(Exception):  # noqa: N818 - a chip's answer, not a fault of the program
    """The command ends with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"91{status:02X}")
        self.status = status
