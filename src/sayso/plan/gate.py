"""The gate as one relational expression: a corpus and a snapshot in, one verdict a record out.

It joins on who is known: an id that is absent from the snapshot is of the class of nobody, which denies. Whatever
cannot be read, and whatever no row answers, is `unreadable`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from sayso.plan.snapshot import Dimensions, Snapshot
from sayso.policy.verdict import Outcome

VERDICTS = ("row", "result", "territory", "category", "subject", "id", "position")
SUBDIVISION = r"^[A-Z]{2}-[A-Z0-9]{1,3}\z"
WELL_FORMED = r"^[A-Z]{2}(-[A-Z0-9]{1,3})?\z"
"""What written territories look like, to their very end: `$` is before a last newline, to some engines."""
NUMBERED = ("row", "number", "id", "position")
KEYED = ("row", "key", "category", "person")
UNREADABLE, STALE, NO_SUBJECT, RESERVED = range(4)
"""The numbers of `results.FIXED`."""
ABSENT = -1
NONE = -2
UNKNOWN_PLACE = 1
NOWHERE = -1
UNKNOWN_ID: dict[bool, int | str] = {True: -1, False: ""}
"""Stands for an id that could not be read, by whether ids are integers; such a record has no verdict about one."""
SHIFT = 1 << 32


@dataclass(frozen=True)
class Tables:
    """A snapshot's tables, as an engine holds them (their columns: `snapshot`).

    No `overflow` where it is empty. `behind` are the rows of `standing` that have positions, as (`subject`, `behind`).
    """

    standing: ir.Table
    overflow: ir.Table | None
    answers: ir.Table
    categories: ir.Table
    places: ir.Table
    accounts: ir.Table | None = None
    accounts_overflow: ir.Table | None = None
    behind: ir.Table | None = None
    accounts_behind: ir.Table | None = None


@dataclass(frozen=True)
class Shape:
    """What a corpus has, once its columns are mapped and read.

    The table has `row` (int64), `category` (string), `collected` (int64, microseconds), and where `several` is false
    `subject`, else `subjects` (a list of structs of `id` and `role`); where so flagged `written` (string), `reserved`
    (boolean, whether reserved from this use), `malformed` (boolean, whether something in a column whose null is
    merely absent could not be read) and `stale` (boolean, whether the snapshot is too old now, for a plan that is kept
    and run later). What else could not be read is null.
    """

    several: bool = False
    role: str | None = None
    written: bool = False
    reserved: bool = False
    malformed: bool = False
    account: bool = False
    """Whether there is a column `account`, and the use asks for it."""
    stale: bool = False


def verdicts(
    corpus: ir.Table,
    shape: Shape,
    tables: Tables,
    dimensions: Dimensions,
    *,
    stale: bool = False,
    carried: Sequence[str] = (),
) -> ir.Table:
    """The columns VERDICTS, one row for every row of the corpus, in no order.

    `result` numbers a row of the snapshot's results; `territory` one of its territories, -1 for the one written on
    the record, -2 for none; `category` one of its category names, -1 for none; `subject` is the index of the subject
    that the verdict is about, -1 for none. Of a denied record `position` is that of the event behind the denial, and
    where records have several subjects `id` is that subject; else null. `stale` says that the snapshot is too old to be used.
    Columns of the corpus that are `carried` stand beside; they have names of their own.
    """
    read = _read(corpus, shape, tables, dimensions)
    asked = _asked(read, shape, tables, dimensions)
    judged = _judge(asked, tables, shape)
    if not shape.several:
        counted = shape.role not in dimensions.unasked
        judged = judged.mutate(anybody=ibis.literal(counted))
        return _settle(judged, shape, counted=counted, stale=stale, carried=carried)
    order = judged.severity.cast("int64") * SHIFT + judged.index
    own = judged.subject.fill_null(UNKNOWN_ID[judged.subject.type().is_integer()])
    # What is the record's own is the same in all of its rows.
    whole = {name: judged[name].arbitrary() for name in (*_of_record(shape), *carried)}
    least = judged.group_by("row").agg(
        least=order.min(),
        found=judged.result.argmin(order),
        where=judged.territory.argmin(order),
        own=own.argmin(order),
        behind_it=judged.position.fill_null(NOWHERE).argmin(order),
        about_it=judged.about.argmin(order),
        anyone=(judged.role == 0).any(),
        first=ibis.ifelse(judged.index == 0, judged.subject, ibis.null(judged.subject.type())).max(),
        **whole,
    )
    unread = least.unread.fill_null(True)
    nobody = ~unread & least.nobody
    severity = ibis.cases((unread, 0), (nobody, dimensions.nobody_severity), else_=least.least // SHIFT)
    said = ~unread & ~nobody
    personal = said & (least.about_it >= 0)
    settled = least.mutate(
        severity=severity,
        result=ibis.cases((unread, UNREADABLE), (nobody, dimensions.nobody), else_=least.found).cast("int32"),
        territory=ibis.ifelse(said, least["where"], NONE),
        about=ibis.ifelse(personal, (least.least % SHIFT).cast("int32"), ABSENT),
        whose=ibis.ifelse(personal & (severity < int(Outcome.NO_CHOICE)), least.own, ibis.null(least.own.type())),
        position=ibis.ifelse(said, least.behind_it, NOWHERE).nullif(NOWHERE),
        anybody=least.anyone | nobody,
    )
    return _settle(settled, shape, counted=False, stale=stale, carried=carried)


def _of_record(shape: Shape) -> list[str]:
    """Columns that say something of a record, whoever its subjects are."""
    flagged = (("reserved", shape.reserved), ("stale", shape.stale))
    return ["unread", "nobody", "number", *(name for name, there in flagged if there)]


@dataclass(frozen=True, slots=True)
class Packing:
    """How a verdict's result, territory and category are one number: the sizes of the last two, with room for none."""

    territories: int
    categories: int

    @classmethod
    def of(cls, snapshot: Snapshot) -> Packing:
        """That of the verdicts by a snapshot."""
        return cls(len(snapshot.territories) + 2, len(snapshot.category_names) + 1)

    @property
    def width(self) -> int:
        """How many numbers a result has."""
        return self.territories * self.categories


def numbered(
    verdicts: ir.Table, packing: Packing, *, several: bool, positions: bool, number: str = "uint32"
) -> ir.Table:
    """`verdicts` as narrow as it can be, for it is carried out of the engine record by record: the columns NUMBERED.

    `number` packs result, territory and category; it is of the type of that name, for an engine may have no `uint32`. There is an `id` only where records have `several`
    subjects, and a `position` only where some verdict may rest on an event.
    """
    columns = {"row": verdicts.row, "number": packed(verdicts, packing).cast(number)}
    columns |= {"id": verdicts.id} if several else {}
    columns |= {"position": verdicts.position} if positions else {}
    return verdicts.select(**columns)


def packed(verdicts: ir.Table, packing: Packing) -> ir.IntegerColumn:
    """A verdict's result, territory and category as one number."""
    one = verdicts.result.cast("int64") * packing.territories + (verdicts.territory + -NONE)
    return one * packing.categories + (verdicts.category + 1)


def plain(shape: Shape, dimensions: Dimensions) -> bool:
    """Whether a corpus is one of records with one subject that counts, of which nothing but that person is asked."""
    return not (shape.several or shape.reserved or shape.account or shape.stale or shape.role in dimensions.unasked)


def keyed(corpus: ir.Table, shape: Shape, tables: Tables, dimensions: Dimensions) -> ir.Table:
    """The columns KEYED of a `plain` corpus: the same expression up to the key of the answer.

    For an engine that looks answers up by their place (`lookup`) sooner than it joins them. `key` is -1 of a record that
    is unreadable, `person` the row of standing, -1 of nobody known; `tables.standing` has it as `person`.
    """
    asked = _asked(_read(corpus, shape, tables, dimensions), shape, tables, dimensions)
    return asked.select(
        row=asked.row,
        key=asked.asked.fill_null(ABSENT),
        category=asked.number.fill_null(ABSENT).cast("int32"),
        person=asked.person.fill_null(ABSENT).cast("int32"),
    )


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
    # Only what no table lists is looked at letter by letter.
    unlisted = read.written.notnull() & read.exact_place.isnull()
    subdivision = ibis.ifelse(unlisted, read.written.re_search(SUBDIVISION), False)
    read = read.mutate(malformed_territory=ibis.ifelse(unlisted, ~read.written.re_search(WELL_FORMED), False))
    read = read.left_join(
        country, ibis.ifelse(subdivision, read.written[:2], ibis.null("string")) == country.country_code
    )
    place = ibis.cases(
        (read.written.isnull(), 0), else_=ibis.coalesce(read.exact_place, read.country_place, UNKNOWN_PLACE)
    )
    return read.mutate(place=place, unread=read.unread | read.malformed_territory)


def combinations(corpus: ir.Table, shape: Shape, tables: Tables, dimensions: Dimensions) -> ir.Table:
    """Every key of an answer that the corpus asks for, with one (record, subject) that asks for it.

    For a use that asks for the account: there are too many keys to answer all of them beforehand.
    """
    asked = _asked(_read(corpus, shape, tables, dimensions), shape, tables, dimensions)
    asked = asked.filter(asked.asked.notnull())
    asked = _behind(asked, "subject", tables.behind, ibis.literal(True), "behind")
    asked = _behind(asked, "account", tables.accounts_behind, ibis.literal(True), "account_behind")
    written = asked.written if shape.written else ibis.null("string")
    example = ibis.struct(
        {
            "subject": asked.subject, "account": asked.account, "collected": asked.collected,
            "category": asked.category, "written": written, "role": asked.role, "behind": asked.behind,
            "account_behind": asked.account_behind,
        }
    )  # fmt: skip
    return asked.mutate(example=example).group_by("asked").agg(example=ibis._.example.argmin(ibis._.row))


def strangers(corpus: ir.Table, shape: Shape, tables: Tables) -> ir.Table:
    """The `id` of each subject of a corpus whom the snapshot does not know, once each."""
    if shape.several:
        ids = corpus.select(one=corpus.subjects.unnest()).select(id=ibis._.one["id"])
    else:
        ids = corpus.select(id=corpus.subject)
    return ids.filter(ids.id.notnull()).distinct().anti_join(tables.standing, ids.id == tables.standing.subject)


def _asked(read: ir.Table, shape: Shape, tables: Tables, dimensions: Dimensions) -> ir.Table:
    """Each (record, subject) with the key of the answer that it asks for; `role` is 1 where it does not count."""
    if not shape.several:
        unasked = int(shape.role in dimensions.unasked)
        rows = read.mutate(index=ibis.literal(0, "int64"), role=ibis.literal(unasked))
    else:
        one = _exploded(read)
        role = ibis.literal(0, "int8")
        if dimensions.unasked:
            role = ibis.array(list(dimensions.unasked)).contains(one.one["role"]).fill_null(False).cast("int8")
        # Of a record about nobody there is a row too, in which nobody counts.
        role = ibis.ifelse(one.one["index"] < 0, ibis.literal(1, "int8"), role)
        rows = one.mutate(subject=one.one["id"], index=one.one["index"], role=role).drop("one")
    known = _stepped(rows, "subject", tables.standing, tables.overflow, dimensions.absent)
    step = known.step
    if tables.accounts is not None:
        known = _stepped(known.rename(own_step="step"), "account", tables.accounts, tables.accounts_overflow, 0)
        step = known.own_step * dimensions.states + known.step
    periods, categories, places = len(dimensions.borders) + 1, dimensions.categories, dimensions.places
    offset = ((known.role * periods + known.period) * categories + known.cell) * places + known.place
    asked = step * dimensions.size + offset
    unread = known.unread | known.subject.isnull()
    return known.mutate(asked=ibis.ifelse(unread, ibis.null("int64"), asked))


def _exploded(read: ir.Table) -> ir.Table:
    """A row for each subject of a record, `one`, with its place among them; one row, at -1, for a record of none."""

    def subject(id: ir.Value, role: ir.Value, index: ir.Value) -> ir.StructValue:  # noqa: A002
        return ibis.struct({"id": id, "role": role, "index": index.cast("int64")})

    fields = read.subjects.type().value_type
    nobody = ibis.array([subject(ibis.null(fields["id"]), ibis.null(fields["role"]), ibis.literal(ABSENT))])
    placed = read.subjects.map(lambda one, index: subject(one["id"], one["role"], index))
    return read.mutate(
        unread=read.unread | read.subjects.isnull(),
        nobody=(read.subjects.length() == 0).fill_null(False),
        one=ibis.ifelse(read.subjects.length() > 0, placed, nobody).unnest(),
    ).drop("subjects")


def _stepped(rows: ir.Table, party: str, standing: ir.Table, overflow: ir.Table | None, absent: int) -> ir.Table:
    """Rows with the class (`step`) that a party's step function has at each. Columns of `standing` that are null
    throughout may be left out of it.
    """
    held = standing.rename(known="subject")
    if "behind" in held.columns:
        held = held.drop("behind")
    joined = rows.left_join(held, rows[party] == held.known)
    # Who is not known has neither a border nor a first class, and a border that is null has not begun.
    cases = [
        (joined.collected >= joined[border], joined[number])
        for border, number in (("b2", "c2"), ("b1", "c1")) if border in held.columns
    ]  # fmt: skip
    before = joined.c0.fill_null(absent)
    joined = joined.mutate(step=(ibis.cases(*cases, else_=before) if cases else before).cast("int64"))
    if overflow is not None:
        over = overflow.rename(over="subject", over_class="class")
        within = [
            joined.more,
            joined[party] == over.over,
            over.start.isnull() | (joined.collected >= over.start),
            over.until.isnull() | (joined.collected < over.until),
        ]
        joined = joined.left_join(over, within)
        step = ibis.ifelse(joined.more.fill_null(False), joined.over_class.cast("int64"), joined.step)
        joined = joined.mutate(step=step).drop("over", "over_class", "start", "until")
    return joined.drop("known", *(name for name in ("c0", "b1", "c1", "b2", "c2", "more") if name in held.columns))


def _behind(rows: ir.Table, party: str, behind: ir.Table | None, asked: ir.BooleanColumn, name: str) -> ir.Table:
    """Rows with the positions of a party's events that a verdict may rest on, where it is asked."""
    if behind is None:
        return rows.mutate(**{name: ibis.null("array<int64>")})
    keyed = rows.mutate(behind_key=ibis.ifelse(asked, rows[party], ibis.null(rows[party].type())))
    held = behind.select(behind_of="subject", behind_list="behind")
    joined = keyed.left_join(held, keyed.behind_key == held.behind_of)
    return joined.mutate(**{name: joined.behind_list}).drop("behind_key", "behind_of", "behind_list")


def _judge(asked: ir.Table, tables: Tables, shape: Shape) -> ir.Table:
    """Each (record, subject) with what is answered."""
    answers = tables.answers.rename(answer_key="key")
    answered = asked.left_join(answers, asked.asked == answers.answer_key)
    if shape.account:
        of_subject = answered.slot.notnull() & ~answered.of_account
        of_account = answered.slot.notnull() & answered.of_account
        answered = _behind(answered, "subject", tables.behind, of_subject, "behind")
        answered = _behind(answered, "account", tables.accounts_behind, of_account, "account_behind")
        own = ibis.coalesce(answered.behind, answered.account_behind)
    else:
        answered = _behind(answered, "subject", tables.behind, answered.slot.notnull(), "behind")
        own = answered.behind
    return answered.mutate(
        position=answered.position
        if tables.behind is None and tables.accounts_behind is None
        else ibis.coalesce(answered.position, own[answered.slot]),
        result=ibis.coalesce(answered.result, UNREADABLE),
        territory=ibis.coalesce(answered.territory, NONE),
        severity=ibis.coalesce(answered.severity, int(Outcome.UNREADABLE)),
        about=ibis.coalesce(answered.about, ABSENT),
    )


def _settle(judged: ir.Table, shape: Shape, *, counted: bool, stale: bool, carried: Sequence[str]) -> ir.Table:
    """The one result of each record, from that of its subjects (`counted`: one always counts) and its own."""
    cases: list[tuple[ir.BooleanValue, int]] = []
    readable = judged.severity > int(Outcome.UNREADABLE)
    if stale:
        cases.append((readable, STALE))
    elif shape.stale:
        cases.append((readable & judged.stale.fill_null(True), STALE))
    if not counted:
        cases.append((~judged.anybody & (judged.severity > int(Outcome.NO_SUBJECT)), NO_SUBJECT))
    if shape.reserved:
        unread = judged.reserved.isnull()
        cases.insert(0, (unread, UNREADABLE))
        cases.append((judged.reserved & (judged.severity > int(Outcome.RESERVED)), RESERVED))
    columns = {"row": judged.row, "category": ibis.coalesce(judged.number, ABSENT).cast("int32")}
    columns |= {name: judged[name] for name in carried}
    whose = judged.whose if shape.several else ibis.null(judged.subject.type())
    if not cases:
        return judged.select(
            **columns, result=judged.result, territory=judged.territory, subject=judged.about, id=whose,
            position=judged.position,
        ).select(*VERDICTS, *carried)  # fmt: skip
    of_record = ibis.cases(*cases, else_=-1)
    own = of_record == -1
    if shape.several:
        whose = ibis.cases((own, whose), (of_record == RESERVED, judged.first), else_=ibis.null(whose.type()))
    return judged.select(
        **columns,
        result=ibis.ifelse(own, judged.result, of_record).cast("int32"),
        territory=ibis.ifelse(own, judged.territory, NONE).cast("int32"),
        subject=ibis.cases((own, judged.about), (of_record == RESERVED, 0), else_=ABSENT),
        id=whose,
        position=ibis.ifelse(own, judged.position, ibis.null("int64")),
    ).select(*VERDICTS, *carried)
