"""Masters in a hardware module, through PKCS#11: they stay in it, and it derives the keys of chips.

A master is an AES key of the token, labelled ``khb-PURPOSE[-KECAMATAN]-GENERATION``. The module
derives with AES-CMAC: for the inputs of KHB-1, which are longer than one block, that is what
AN10922 asks for (docs/spec/chip-profile.md §2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass

from card_codec.chip.diversify import NO_KECAMATAN, KeyName, diversification_input
from provisioning.chip_masters import FileMasters, Purpose, label, missing, purpose_of
from provisioning.errors import ProvisioningError, WrongUseError

_LABEL = re.compile(r"khb-(issuer|tmac|redeem|away)(?:-([0-9]{6}))?-([1-9][0-9]{0,2})")
_FIRST_BLOCK = b"\x01"  # AN10922's constant for a key of 128 bits


class TokenMasters:
    """See `provisioning.chip_masters.ChipMasters`."""

    def __init__(self, session: pkcs11.Session) -> None:
        self._session = session

    def derive(self, name: KeyName) -> bytes:
        """See `ChipMasters`."""
        called = label(purpose_of(name), name.kecamatan, name.generation)
        data = _FIRST_BLOCK + diversification_input(name)
        try:
            key: Any = self._session.get_key(ObjectClass.SECRET_KEY, KeyType.AES, called)
            return bytes(key.sign(data, mechanism=Mechanism.AES_CMAC))
        except pkcs11.NoSuchKey as error:
            raise missing(called) from error
        except pkcs11.PKCS11Error as error:
            raise _fault(error) from error

    def generations(self, purpose: Purpose, kecamatan: str = NO_KECAMATAN) -> tuple[int, ...]:
        """See `ChipMasters`."""
        place = None if kecamatan == NO_KECAMATAN else kecamatan
        found = (_LABEL.fullmatch(one) for one in self._labels())
        return tuple(
            sorted(int(m[3]) for m in found if m and (m[1], m[2]) == (purpose.value, place))
        )

    def take_in(self, held: FileMasters) -> int:
        """Lay masters of a sealed file into the token; how many were new to it.

        They are marked sensitive and cannot be taken out again.

        Raises:
            ProvisioningError: the token refused.
        """
        there = set(self._labels())
        new = [m for m in held.masters if label(m.purpose, m.kecamatan, m.generation) not in there]
        try:
            for master in new:
                self._session.create_object(
                    {
                        Attribute.CLASS: ObjectClass.SECRET_KEY,
                        Attribute.KEY_TYPE: KeyType.AES,
                        Attribute.TOKEN: True,
                        Attribute.PRIVATE: True,
                        Attribute.SENSITIVE: True,
                        Attribute.EXTRACTABLE: False,
                        Attribute.SIGN: True,
                        Attribute.LABEL: label(master.purpose, master.kecamatan, master.generation),
                        Attribute.VALUE: master.key,
                    }
                )
        except pkcs11.PKCS11Error as error:
            raise _fault(error) from error
        return len(new)

    def _labels(self) -> list[str]:
        try:
            found = self._session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY})
            return [str(one[Attribute.LABEL]) for one in found]
        except pkcs11.PKCS11Error as error:
            raise _fault(error) from error


@contextmanager
def open_token(
    module: Path, token: str, pin: str, *, writes: bool = False
) -> Iterator[TokenMasters]:
    """Open a token.

    Args:
        module: the library of its maker (``*.so``).
        token: its label.
        pin: of its user.
        writes: whether masters are to be laid into it.

    Raises:
        WrongUseError: no such library, or no such token.
        ProvisioningError: the PIN is wrong, or the token fails.
    """
    try:
        library = pkcs11.lib(str(module))
        found = library.get_token(token_label=token)
    except (pkcs11.NoSuchToken, pkcs11.MultipleTokensReturned) as error:
        raise WrongUseError(f"no single token is called {token!r}; check --token") from error
    except (RuntimeError, OSError, pkcs11.GeneralError) as error:
        raise WrongUseError(f"{module} is no PKCS#11 library; check --module") from error
    except pkcs11.PKCS11Error as error:
        raise _fault(error) from error
    try:
        session = found.open(rw=writes, user_pin=pin)
    except (pkcs11.PinIncorrect, pkcs11.PinLenRange, pkcs11.PinInvalid) as error:
        raise ProvisioningError(
            f"the PIN does not open the token {token}; a few wrong ones lock it"
        ) from error
    except pkcs11.PKCS11Error as error:
        raise _fault(error) from error
    with session:
        yield TokenMasters(session)


def _fault(error: pkcs11.PKCS11Error) -> ProvisioningError:
    return ProvisioningError(
        f"the hardware module refused ({type(error).__name__}); check it and its connection"
    )
