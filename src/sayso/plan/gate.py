"""The gate as one relational expression: a corpus and a snapshot in, one verdict a record out.

It joins on who is known: an id that is absent from the snapshot is of the class of nobody, which denies. Whatever
cannot be read, and whatever no row answers, is `unreadable`.
"""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from sayso.plan.snapshot import Dimensions
from sayso.policy.verdict import Outcome

VERDICTS = ("row", "result", "territory", "category", "subject", "id", "position")
SUBDIVISION = "^[A-Z]{2}-[A-Z0-9]{1,3}$"
WELL_FORMED = "^[A-Z]{2}(-[A-Z0-9]{1,3})?$"
UNREADABLE, STALE, NO_SUBJECT, RESERVED = range(4)
"""The numbers of `results.FIXED`."""
ABSENT = -1
NONE = -2
UNKNOWN_PLACE = 1
NOWHERE = -1
SHIFT = 1 << 32


@dataclass(frozen=True)
class Tables:
    """A snapshot's tables, as an engine holds them (their columns: `snapshot`). No `overflow` where it is empty."""

    standing: ir.Table
    overflow: ir.Table | None
    answers: ir.Table
    categories: ir.Table
    places: ir.Table
    accounts: ir.Table | None = None
    accounts_overflow: ir.Table | None = None


@dataclass(frozen=True)
class Shape:
    """What a corpus has, once its columns are mapped and read.

    The table has `row` (int64), `category` (string), `collected` (int64, microseconds), and where `several` is false
    `subject`, else `subjects` (a list of structs of `id` and `role`); where so flagged `written` (string), `reserved`
    (boolean, whether reserved from this use) and `malformed` (boolean, whether something in a column whose null is
    merely absent could not be read). What else could not be read is null.
    """

    several: bool = False
    role: str | None = None
    written: bool = False
    reserved: bool = False
    malformed: bool = False
    account: bool = False
    """Whether there is a column `account`, and the use asks for it."""


def verdicts(
    corpus: ir.Table, shape: Shape, tables: Tables, dimensions: Dimensions, *, stale: bool = False
) -> ir.Table:
    """The columns VERDICTS, one row for every row of the corpus, in no order.

    `result` numbers a row of the snapshot's results; `territory` one of its territories, -1 for the one written on
    the record, -2 for none; `category` one of its category names, -1 for none; `subject` is the index of the subject
    that the verdict is about, -1 for none. Of a denied record `id` is that subject and `position` that of the event
    behind the denial, where there are such. `stale` says that the snapshot is too old to be used.
    """
    read = _read(corpus, shape, tables, dimensions)
    asked = _asked(read, shape, tables, dimensions)
    judged = _judge(asked, tables, shape)
    if not shape.several:
        return _settle(judged.mutate(anybody=judged.role == 0, first=judged.subject), shape, stale=stale)
    order = judged.severity.cast("int64") * SHIFT + judged.index
    least = judged.group_by("row").agg(
        least=order.min(),
        found=judged.result.argmin(order),
        where=judged.territory.argmin(order),
        whose=judged.subject.argmin(order),
        behind=judged.position.fill_null(NOWHERE).argmin(order),
        anybody=(judged.role == 0).any(),
        unread_id=judged.unread.any(),
    )
    least = least.rename(of="row")
    joined = read.left_join(least, read.row == least.of)
    settled = joined.mutate(
        unread=joined.unread | joined.subjects.isnull() | joined.unread_id.fill_null(False),
        severity=ibis.coalesce(joined.least // SHIFT, int(Outcome.NO_SUBJECT)),
        result=ibis.coalesce(joined.found, dimensions.nobody),
        territory=ibis.coalesce(joined["where"], NONE),
        index=ibis.coalesce(joined.least % SHIFT, -1),
        first=joined.subjects[0]["id"],
        subject=joined.whose,
        position=joined.behind.nullif(NOWHERE),
        anybody=joined.anybody.fill_null(False) | joined.of.isnull(),
    )
    return _settle(settled, shape, stale=stale)


def _read(corpus: ir.Table, shape: Shape, tables: Tables, dimensions: Dimensions) -> ir.Table:
    """The corpus with the place of each record on the axes, and `unread` where it could not be read."""
    names = tables.categories.rename(category_name="name")
    read = corpus.left_join(names, corpus.category == names.category_name)
    unread = read.cell.isnull() | read.collected.isnull() | (read.collected > dimensions.at)
    if shape.malformed:
        unread = unread | read.malformed.fill_null(True)
    period = ibis.literal(0, "int64")
    for border in dimensions.borders:
        period = period + (read.collected >= border).cast("int64")
    read = read.mutate(unread=unread.fill_null(True), period=period)
    if not shape.written:
        return read.mutate(place=ibis.literal(0), written_territory=ibis.literal(NONE))
    exact = tables.places.select(exact_code="code", exact_place="place")
    read = read.left_join(exact, read.written == exact.exact_code)
    country = tables.places.select(country_code="code", country_place="rest")
    subdivision = read.written.re_search(SUBDIVISION) & read.exact_place.isnull()
    read = read.left_join(
        country, ibis.ifelse(subdivision, read.written[:2], ibis.null("string")) == country.country_code
    )
    malformed = read.exact_place.isnull() & ~read.written.re_search(WELL_FORMED)
    place = ibis.cases(
        (read.written.isnull(), 0), else_=ibis.coalesce(read.exact_place, read.country_place, UNKNOWN_PLACE)
    )
    return read.mutate(place=place, unread=read.unread | (read.written.notnull() & malformed.fill_null(True)))


def combinations(corpus: ir.Table, shape: Shape, tables: Tables, dimensions: Dimensions) -> ir.Table:
    """Every key of an answer that the corpus asks for, with one (record, subject) that asks for it.

    For a use that asks for the account: there are too many keys to answer all of them beforehand.
    """
    asked = _asked(_read(corpus, shape, tables, dimensions), shape, tables, dimensions)
    asked = asked.filter(~asked.unread, asked.subject.notnull())
    written = asked.written if shape.written else ibis.null("string")
    example = ibis.struct(
        {
            "subject": asked.subject, "account": asked.account, "collected": asked.collected,
            "category": asked.category, "written": written, "role": asked.role, "behind": asked.behind,
            "account_behind": asked.account_behind,
        }
    )  # fmt: skip
    order = asked.row * SHIFT + asked.index
    return asked.mutate(example=example, order=order).group_by("asked").agg(example=ibis._.example.argmin(ibis._.order))


def _asked(read: ir.Table, shape: Shape, tables: Tables, dimensions: Dimensions) -> ir.Table:
    """Each (record, subject) with the key of the answer that it asks for; `role` is 1 where it does not count."""
    if not shape.several:
        unasked = int(shape.role in dimensions.unasked)
        rows = read.mutate(index=ibis.literal(0, "int64"), role=ibis.literal(unasked))
    else:
        held = read.filter(read.subjects.length() > 0)
        one = held.mutate(
            one=held.subjects.unnest(), index=ibis.range(0, held.subjects.length()).unnest().cast("int64")
        )
        role = ibis.literal(0)
        if dimensions.unasked:
            role = ibis.array(list(dimensions.unasked)).contains(one.one["role"]).fill_null(False).cast("int8")
        rows = one.mutate(subject=one.one["id"], role=role).drop("one", "subjects")
    known = _stepped(rows, "subject", tables.standing, tables.overflow, dimensions.absent)
    step = known.step
    if tables.accounts is not None:
        known = _stepped(known.rename(own_step="step"), "account", tables.accounts, tables.accounts_overflow, 0)
        step = known.own_step * dimensions.states + known.step
    periods, categories, places = len(dimensions.borders) + 1, dimensions.categories, dimensions.places
    offset = ((known.role * periods + known.period) * categories + known.cell) * places + known.place
    return known.mutate(asked=step * dimensions.size + offset)


def _stepped(rows: ir.Table, party: str, standing: ir.Table, overflow: ir.Table | None, absent: int) -> ir.Table:
    """Rows with the class (`step`) that a party's step function has at each, and `behind`, `account_behind`."""
    behind = "behind" if party == "subject" else "account_behind"
    held = standing.rename({"known": "subject", behind: "behind"} if behind != "behind" else {"known": "subject"})
    joined = rows.left_join(held, rows[party] == held.known)
    step = ibis.cases(
        (joined.known.isnull(), absent),
        (joined.b2.notnull() & (joined.collected >= joined.b2), joined.c2),
        (joined.b1.notnull() & (joined.collected >= joined.b1), joined.c1),
        else_=joined.c0,
    )
    joined = joined.mutate(step=step.cast("int64"))
    if overflow is not None:
        over = overflow.rename(over="subject", over_class="class")
        within = [
            joined.more,
            joined[party] == over.over,
            over.start.isnull() | (joined.collected >= over.start),
            over.until.isnull() | (joined.collected < over.until),
        ]
        joined = joined.left_join(over, within)
        joined = joined.mutate(
            step=ibis.ifelse(joined.more.fill_null(False), joined.over_class.cast("int64"), joined.step)
        )
        joined = joined.drop("over", "over_class", "start", "until")
    return joined.drop("known", "c0", "b1", "c1", "b2", "c2", "more")


def _judge(asked: ir.Table, tables: Tables, shape: Shape) -> ir.Table:
    """Each (record, subject) with what is answered."""
    answers = tables.answers.rename(answer_key="key")
    answered = asked.left_join(answers, asked.asked == answers.answer_key)
    own = answered.behind[answered.slot]
    if shape.account:
        own = ibis.ifelse(answered.of_account, answered.account_behind[answered.slot], own)
    return answered.mutate(
        position=ibis.coalesce(answered.position, own),
        unread=answered.unread | answered.subject.isnull() | answered.result.isnull(),
        severity=ibis.coalesce(answered.severity, int(Outcome.UNREADABLE)),
    )


def _settle(judged: ir.Table, shape: Shape, *, stale: bool) -> ir.Table:
    """The one result of each record, from that of its subjects and what is of the record itself."""
    cases = [(judged.unread.fill_null(True), UNREADABLE)]
    if stale:
        cases.append((~judged.unread, STALE))
    cases.append((~judged.anybody & (judged.severity > int(Outcome.NO_SUBJECT)), NO_SUBJECT))
    if shape.reserved:
        cases.append((judged.reserved.fill_null(True) & (judged.severity > int(Outcome.RESERVED)), RESERVED))
    found = ibis.coalesce(judged.result, UNREADABLE)
    of_record = ibis.cases(*((condition, fixed) for condition, fixed in cases), else_=-1)
    personal = (of_record == -1) & (judged.severity > int(Outcome.NO_SUBJECT))
    about = ibis.cases((personal, judged.index), (of_record == RESERVED, 0), else_=ABSENT)
    denied = (of_record == -1) & (judged.severity < int(Outcome.NO_CHOICE)) & personal
    whose = ibis.cases((denied, judged.subject), (of_record == RESERVED, judged.first), else_=ibis.null())
    return judged.select(
        row=judged.row,
        result=ibis.ifelse(of_record == -1, found, of_record).cast("int32"),
        territory=ibis.ifelse(of_record == -1, ibis.coalesce(judged.territory, NONE), NONE).cast("int32"),
        category=ibis.coalesce(judged.number, ABSENT).cast("int32"),
        subject=about.cast("int32"),
        id=whose,
        position=ibis.ifelse(denied, judged.position, ibis.null("int64")),
    )
