"""A real mail server on loopback, and letters to give it."""

import socket
from collections.abc import Callable, Iterator

import pytest

from portico.domain.access import Member
from portico.domain.invitations import Invitation
from portico.domain.outbox import Letter
from portico.domain.roles import Grant
from tests import cast
from tests.delivery.post_office import PostOffice


@pytest.fixture
def office() -> Iterator[PostOffice]:
    """The mail server: takes everything, until a test tells it otherwise."""
    office = PostOffice()
    office.start()
    yield office
    office.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def smtp(settings, office: PostOffice) -> PostOffice:
    """Portico, set up to hand its letters to that server."""
    settings.EMAIL_BACKEND = "portico.delivery.smtp.LetterBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", office.port
    settings.EMAIL_TIMEOUT = 20
    settings.BASE_URL, settings.BASE_HOST = "https://portico.example", "portico.example"
    return office


@pytest.fixture
def nobody_listens(settings) -> None:
    settings.EMAIL_BACKEND = "portico.delivery.smtp.LetterBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()


@pytest.fixture
def invite(ada: Member, developer: Grant) -> Callable[..., list[Invitation]]:
    """Ada invites these addresses to Acme as developers."""

    def invite(*addresses: str, **terms) -> list[Invitation]:
        return [cast.invited(ada, address, grant=developer, **terms) for address in addresses]

    return invite


@pytest.fixture
def letter() -> Callable[[str], Letter]:
    """The newest letter to an address, as it is now."""
    return lambda address: Letter.objects.filter(address=address).latest("id")
