"""A workspace's life from its founding to its end, two who edit one, and the billing information.

In Estuary nell is the Administrator, theo gets to manage a workspace of hers, mae to be a member of it.
"""

from collections.abc import Callable
from itertools import count

import pytest

from tests.browser.visitor import HANDS, Keyboard, Visitor, WithoutScript

pytestmark = pytest.mark.usefixtures("example")

NELL, THEO, MAE = "nell@estuary.example", "theo@estuary.example", "mae@estuary.example"
PLACES = "/o/estuary/workspaces"
numbers = count(1)

At = Callable[..., Visitor]


@pytest.mark.parametrize("hand", HANDS.values(), ids=HANDS)
def test_a_workspace_from_beginning_to_end(at: At, hand: type[Visitor]) -> None:
    slug, former = f"money-{next(numbers)}", f"ledger-{next(numbers)}"
    nell = at(NELL, f"{PLACES}/new", hand=hand)
    nell.type("Name", former)
    nell.press("Create workspace")
    for who in (THEO, MAE):
        nell.type("Give a seat to", who)
        nell.press("Give a seat")
    nell.press("Make manager Theo Reed")
    nell.follow("Invite users here")
    assert nell.page.get_by_label(former).input_value() == "member"

    theo = at(THEO, f"{PLACES}/{former}", hand=hand)
    theo.follow("Edit")
    theo.type("Name", "Money")
    theo.type("Address", slug)
    theo.pick("Teal")
    theo.press("Save")
    theo.sees_heading("Money")
    mae = at(MAE, f"{PLACES}/{former}", hand=hand)  # as in her bookmarks
    assert mae.path == f"{PLACES}/{slug}"
    mae.sees_heading("Money")

    theo.follow("Edit")
    theo.follow("Archive workspace")
    theo.sees("only an Administrator can restore it")
    theo.press("Archive workspace")
    theo.sees("Money is archived.")
    assert mae.status(f"{PLACES}/{slug}") == 404

    nell.open(PLACES)
    nell.follow("Archived")
    nell.follow("Money")
    nell.follow("Restore")
    nell.press("Restore workspace")
    nell.sees("Money is open again.")
    assert mae.status(f"{PLACES}/{slug}") == 200

    nell.follow("Edit")
    nell.follow("Archive workspace")
    nell.press("Archive workspace")
    nell.follow("Delete for ever")
    nell.press("Delete for ever")
    nell.sees("Type the name exactly as it is: Money")
    nell.type("To delete it", "Money")
    nell.press("Delete for ever")
    nell.sees("Money is deleted.")
    assert nell.status(f"{PLACES}/{former}") == 404


def test_two_edit_a_workspace_and_the_second_sees_what_the_first_did(at: At) -> None:
    name = f"Atlas {next(numbers)}"
    nell = at(NELL, f"{PLACES}/new", hand=WithoutScript)
    nell.type("Name", name)
    nell.press("Create workspace")
    other = nell.another_tab()
    other.open(nell.path)
    for tab in (nell, other):
        tab.follow("Edit")
    nell.type("Description", "Maps")
    nell.press("Save")

    other.type("Name", f"{name} of the world")
    other.press("Save")

    other.sees("Somebody changed this meanwhile.", "Changed meanwhile to “Maps”.")
    assert other.page.get_by_label("Name").input_value() == f"{name} of the world"
    other.press("Save")
    other.sees_heading(f"{name} of the world")
    other.sees("Maps")


def test_billing_information(at: At) -> None:
    assert at(THEO, "/o/estuary/").status("/o/estuary/billing") == 403
    nell = at(NELL, "/o/estuary/", hand=Keyboard)
    nell.follow("Billing information")

    nell.type("Legal name", "4242 4242 4242 4242")
    nell.choose("Country", "Germany")
    nell.type("Tax id", "FR40303265045")
    nell.press("Save")
    nell.sees("This looks like the number of a payment card.", "This is a tax id of France")
    nell.type("Legal name", "Booking.com B.V.")
    nell.choose("Country", "France")
    nell.press("Save")

    nell.sees("Billing information saved.")
    assert nell.page.get_by_label("Tax id").input_value() == "FR40303265045"
    nell.open("/o/estuary/")
    nell.sees("Nell Marsh changed the billing information: legal name, country, tax id")
