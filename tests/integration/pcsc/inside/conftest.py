"""The real pcscd and its virtual reader, for all the tests of this folder."""

import time
from collections.abc import Iterator

import pytest

from card_codec.readers import pcsc
from card_codec.readers.status import ReaderState
from virtual_card.pcscd import SLOTS, Service, is_installed

__all__ = ["SLOTS", "Service"]


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    assert is_installed(), "install pcscd and vsmartcard-vpcd: make setup-test"
    service = Service(tmp_path_factory.mktemp("pcscd"))
    service.start()
    yield service
    service.stop()


@pytest.fixture(autouse=True)
def _empty_readers(service: Service) -> None:
    """Each test begins with no card on either slot."""
    end = time.monotonic() + 5
    while any(one.state is not ReaderState.NO_CARD for one in pcsc.list_readers()):
        assert time.monotonic() < end, service.log()
        time.sleep(0.02)
