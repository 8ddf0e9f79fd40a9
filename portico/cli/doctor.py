"""`portico doctor`: whether an installation is well, and for each thing that is not, what to do."""

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.utils.translation import gettext as _

from portico.cli.command import Done
from portico.cli.problems import Exit, explain

DRIFT = timedelta(seconds=5)  # so far the clocks may be apart: ends of links and memberships are compared by both
LATE = timedelta(hours=1)  # a letter that has waited longer is stuck
NAMED = 10  # organizations that a sentence names


@dataclass(frozen=True)
class Finding:
    """What was looked at, and how it is; `do` says what to do where it is not well."""

    name: str
    ok: bool
    says: str
    do: str = ""


def doctor() -> Done:
    """Look at database, mail, key, proxy, clock and organizations, and say what to do about what is wrong."""
    from rich.table import Table

    findings = [each for check in CHECKS for each in examined(check)]
    table = Table(box=None, show_header=False, pad_edge=False)
    for each in findings:
        table.add_row("✓" if each.ok else "✗", each.name, each.says)
        if each.do:
            table.add_row("", "", f"→ {each.do}")
    well = all(each.ok for each in findings)
    return Done(
        table, {"well": well, "findings": [vars(each) for each in findings]}, Exit.DONE if well else Exit.REFUSED
    )


def examined(check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """Without a database there is nothing to be told of what is in it."""
    from django.db import DatabaseError, InterfaceError

    try:
        return list(check())
    except (DatabaseError, InterfaceError) as error:
        problem = explain(error)
        if problem.code == "not_migrated":
            return [Finding(check.__name__, False, problem.detail)]
        told = next(iter(str(error).strip().splitlines()), type(error).__name__)
        return [Finding(check.__name__, False, told, _("Start the database, or mend PORTICO_DATABASE_URL."))]


def database() -> Iterator[Finding]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    version = ".".join(map(str, connection.get_database_version()))
    yield Finding("database", True, f"{connection.display_name} {version}")


def migrations() -> Iterator[Finding]:
    from portico import schema

    waiting = len(schema.waiting())
    says = _("%(n)d are waiting.") % {"n": waiting} if waiting else _("The database is up to date.")
    yield Finding("migrations", not waiting, says, _("Run: portico migrate") if waiting else "")


def clock() -> Iterator[Finding]:
    from django.db import connection
    from django.utils import timezone

    if connection.vendor != "postgresql":
        yield Finding("clock", True, _("The database has this machine's clock."))
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        apart = abs(timezone.now() - cursor.fetchone()[0])
    says = _("%(n).1f s from the database's.") % {"n": apart.total_seconds()}
    do = "" if apart <= DRIFT else _("Set both by NTP: links and memberships would end too early or too late.")
    yield Finding("clock", apart <= DRIFT, says, do)


def production() -> Iterator[Finding]:
    from django.conf import settings

    from portico.production import gaps

    found = gaps(settings.ENVIRONMENT)
    if not found:
        yield Finding("settings", True, settings.ENVIRONMENT.base_url)
    for gap in found:
        yield Finding("settings", False, gap.variable, gap.sentence)


def key() -> Iterator[Finding]:
    from django.conf import settings

    if settings.ENVIRONMENT.secret_key:
        yield Finding("key", True, _("It comes from PORTICO_SECRET_KEY."))
        return
    path = settings.ENVIRONMENT.data / "secret.key"
    mode = stat.S_IMODE(path.stat().st_mode)
    says = _("It is generated, in %(path)s.") % {"path": path}
    do = _("Others can read it. Run: chmod 600 %(path)s") % {"path": path} if mode & 0o077 else ""
    yield Finding("key", not do, says, do)


def proxy() -> Iterator[Finding]:
    from django.conf import settings

    trusted = settings.ENVIRONMENT.trusted_proxies
    says = _("%(n)d are believed.") % {"n": trusted}
    behind = settings.ENVIRONMENT.base_url.startswith("https://") and not trusted
    do = _("Something in front speaks TLS. Say with PORTICO_TRUSTED_PROXIES how many, or all people share its address.")
    yield Finding("proxies", not behind, says, do if behind else "")


def mail() -> Iterator[Finding]:
    from django.conf import settings
    from django.core.mail import get_connection
    from django.core.mail.backends.smtp import EmailBackend

    if not settings.ENVIRONMENT.email_url:
        yield Finding("mail", True, _("Letters go to the built-in outbox."))
        return
    server = get_connection()
    if not isinstance(server, EmailBackend):
        yield Finding("mail", True, _("By a provider; whether it takes letters, only a letter tells."))
        return
    try:
        server.open()
        server.close()
    except OSError as error:
        yield Finding(
            "mail", False, str(error), _("Mend PORTICO_EMAIL_URL, or the mail server. Letters wait meanwhile.")
        )
        return
    yield Finding("mail", True, _("The mail server answers."))


def letters() -> Iterator[Finding]:
    from django.utils import timezone

    from portico import health
    from portico.domain import outbox

    worker = health.letters()
    do = "" if worker["ok"] else _("Start `portico serve`, or `portico worker` beside servers without one.")
    seen = _("Seen at %(time)s.") % {"time": worker["seen"]} if worker["seen"] else _("It was never seen.")
    yield Finding("worker", worker["ok"], seen, do)
    oldest, waiting = outbox.oldest(), outbox.counts()["waiting"]
    stuck = oldest is not None and timezone.now() - oldest > LATE
    do = _("See what the mail server says, at the invitations or in the log.") if stuck else ""
    yield Finding("letters", not stuck, _("%(n)d wait.") % {"n": waiting}, do)


def permissions() -> Iterator[Finding]:
    from django.conf import settings

    from portico.domain.permissions import catalogue

    count = len(catalogue().every)
    where = settings.ENVIRONMENT.permissions or _("no file of your own")
    yield Finding("permissions", True, _("%(n)d in the catalogue (%(where)s).") % {"n": count, "where": where})


def administrators() -> Iterator[Finding]:
    from portico.domain import organizations

    lost = list(organizations.without_administrator().values_list("slug", flat=True)[: NAMED + 1])
    says = ", ".join(lost[:NAMED]) + (" …" if len(lost) > NAMED else "")
    do = _("Give somebody the role: portico member set --organization … --member … --role administrator")
    yield Finding("administrators", not lost, says or _("Every organization has one."), do if lost else "")


CHECKS = [database, migrations, clock, production, key, proxy, mail, letters, permissions, administrators]
