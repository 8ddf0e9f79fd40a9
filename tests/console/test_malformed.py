"""What is too long to be read, or cannot be read at all, gets a page that says so, and changes nothing."""

from portico.domain.events import Event
from tests.console.browser import signed_in, text

INVITE = "/o/acme/users/invite"


def test_a_body_over_the_limit_is_refused_unread(ada, settings):
    before = Event.objects.count()

    told = signed_in(ada).post(
        INVITE, {"do": "invite", "role": "contributor", "emails": "x" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)}
    )

    assert told.status_code == 413
    assert "At most 4 MB can be sent at once. Nothing was changed." in text(told)
    assert Event.objects.count() == before


def test_more_fields_than_a_review_can_have_are_refused(ada, settings):
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 3
    many = {f"role:p{number}@example.org": "x" for number in range(4)}

    told = signed_in(ada).post(INVITE, many)

    assert told.status_code == 400
    assert "Portico cannot read what was sent." in text(told)
