"""What every admin of WorkBox shares: read-only history, dialogs that call services, exact numbers, bounded counts.

Also shows core's own tables. It knows no product and no order: the rooms above bring those.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import wraps
from typing import Any, TypeVar

from django.contrib import admin, messages
from django.contrib.admin import ModelAdmin as PlainModelAdmin
from django.core.paginator import Page, Paginator
from django.db.models import Model, Q, QuerySet
from django.forms.models import ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import DropdownFilter, RangeDateFilter, RelatedDropdownFilter
from unfold.dataclasses import ActionDialog
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from workbox.core import context, walls
from workbox.core.api import COUNT_MAX
from workbox.core.errors import DomainError
from workbox.core.events import ACCESS
from workbox.core.models import Event, EventCursor, FieldChange, IdempotencyKey
from workbox.core.numbers import ID_DIGITS_MAX, has_places, plain
from workbox.core.stream import TOPICS

M = TypeVar("M", bound=Model)
MONEY_PLACES_SHOWN = 2
CENT = Decimal(1).scaleb(-MONEY_PLACES_SHOWN)
FAILURES_SHOWN_MAX = 20
LOGGED_TOPICS = (*TOPICS, ACCESS)
NOTHING = "–"
FOUND_MAX = 200  # facts that a search of the log follows


# ---- numbers and links -----------------------------------------------------------------------------------------------
def quantity_text(quantity: Decimal | None) -> str:
    """A quantity as people write it: 48, 2.85, 1,204."""
    if quantity is None:
        return NOTHING
    whole, _, places = plain(quantity).partition(".")
    return f"{int(whole):,}" if not places else f"{'-' if quantity < 0 else ''}{abs(int(whole)):,}.{places}"


def signed_text(quantity: Decimal) -> str:
    """A change with its sign: +5, −2, and 0."""
    sign = "+" if quantity > 0 else "−" if quantity < 0 else ""
    return f"{sign}{quantity_text(abs(quantity))}"


def money_text(amount: Decimal | None) -> str:
    """An amount with at least two decimal places and no more than it needs: 1,999.98, 0.0125."""
    if amount is None:
        return NOTHING
    places = max(MONEY_PLACES_SHOWN, len(plain(amount).partition(".")[2]))
    return f"{amount:,.{places}f}"


def total_text(amount: Decimal | None) -> str:
    """A sum of money in whole cents, halves up: 1,999.98; what one unit costs may have more places (`money_text`)."""
    return NOTHING if amount is None else f"{amount.quantize(CENT, ROUND_HALF_UP):,.2f}"


def moment_text(moment: datetime | None) -> str:
    """A moment to the minute, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" if moment else NOTHING


def link(url: str, text: object) -> SafeString:
    """A link inside a table."""
    return format_html('<a href="{}" class="text-primary-600 dark:text-primary-500">{}</a>', url, text)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a promise on stock, as a person names it."""

    label: str
    url: str


# Rooms that reserve stock say here how their holders are called: holder type → (ids → label and link).
HOLDERS: dict[str, Callable[[Iterable[int]], dict[int, Holder]]] = {}


def holders(pairs: Iterable[tuple[str, int]]) -> dict[tuple[str, int], Holder]:
    """The names of these (holder type, holder id) pairs, one query per type; unknown ones are left out."""
    by_type: dict[str, list[int]] = {}
    for kind, number in pairs:
        by_type.setdefault(kind, []).append(number)
    return {
        (kind, number): holder
        for kind, numbers in by_type.items()
        if kind in HOLDERS
        for number, holder in HOLDERS[kind](numbers).items()
    }


# ---- lists -----------------------------------------------------------------------------------------------------------
class CappedPaginator(Paginator):  # type: ignore[type-arg]  # generic in the stubs only
    """Counts no further than COUNT_MAX: a page of a ledger with a million rows costs what it costs with a thousand."""

    template_name = "admin/pagination_capped.html"

    @cached_property
    def count(self) -> int:
        """How many rows there are, or COUNT_MAX when there are more."""
        rows: Any = self.object_list
        if isinstance(rows, QuerySet):
            return min(rows.order_by().values("pk")[: COUNT_MAX + 1].count(), COUNT_MAX)
        return len(rows)

    def page(self, number: int | str) -> Page[Any]:
        """The page, cut on the primary key before anything is joined: MariaDB may join a whole ledger else."""
        rows: Any = self.object_list
        if not isinstance(rows, QuerySet):
            return super().page(number)
        number = self.validate_number(number)
        first = (number - 1) * self.per_page
        ids = list(rows.values_list("pk", flat=True)[first : first + self.per_page])
        return Page(rows.filter(pk__in=ids), number, self)

    @property
    def is_capped(self) -> bool:
        """True when there are probably more rows than are counted."""
        return self.count >= COUNT_MAX


def cut(rows: QuerySet[M], most: int) -> tuple[list[M], int]:
    """The first rows, and how many more there are."""
    found = list(rows[: most + 1])
    return found[:most], rows.count() - most if len(found) > most else 0


class DayRangeFilter(RangeDateFilter):
    """From one day to another, both included, in UTC."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows of those days; a date that cannot be read is no limit."""
        first, last = (self._day(self.used_parameters.get(f"{self.parameter_name}_{end}")) for end in ("from", "to"))
        if first is not None:
            queryset = queryset.filter(**{f"{self.parameter_name}__gte": first})
        if last is not None and last.date() < date.max:  # no day comes after the last one: that is no limit
            queryset = queryset.filter(**{f"{self.parameter_name}__lt": last + timedelta(days=1)})
        return queryset

    @staticmethod
    def _day(raw: Any) -> datetime | None:
        try:
            return datetime.strptime(str(raw), "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            return None


class NamedFilter(DropdownFilter):
    """A filter whose choices have names: subclasses give `title`, `parameter_name` and `choices_named`."""

    choices_named: dict[str, tuple[str, Callable[[QuerySet[Any]], QuerySet[Any]]]] = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The choices by name."""
        return [(key, label) for key, (label, _) in self.choices_named.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows of the choice."""
        chosen = self.choices_named.get(self.value() or "")
        return chosen[1](queryset) if chosen else queryset


class AttentionFilter(NamedFilter):
    """A filter that shows by itself what needs attention, as long as nobody filters or searches; `all` shows all.

    `default_choice` is what it shows then, `default_words` says so above the list.
    """

    default_choice = ""
    default_words = ""

    def acts_by_default(self, request: HttpRequest) -> bool:
        """True when nobody has chosen anything but an order or a page.

        An action on rows that were selected one by one means those rows, whatever the list shows by itself; one on "all
        of them" means all that were shown.
        """
        if request.method == "POST" and request.POST.get("select_across", "0") == "0":
            return False
        return self.value() is None and not set(request.GET) - {"o", "p", "all", "e"}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows of the choice, or of the default."""
        if self.acts_by_default(request):
            return self.choices_named[self.default_choice][1](queryset)
        return super().queryset(request, queryset)


class NumberSearch:
    """Mix-in: a number is looked up as a number, by index, and not as a part of every text in the table.

    `number_fields` are compared with the number, `exact_fields` with the text as it was typed; other terms are
    searched in `search_fields` as usual. `number_prefix` is what stands before the number on papers: ORDER-12.
    """

    number_fields: tuple[str, ...] = ("pk",)
    exact_fields: tuple[str, ...] = ()
    number_prefix = ""

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[Any, bool]:
        """The rows, and whether some may come twice."""
        number, prefix = search_term.strip().upper(), self.number_prefix.rstrip("-")
        if prefix and number.startswith(prefix):
            number = number.removeprefix(prefix).lstrip("- ")
        number = number.removeprefix("#").strip()
        if not number.isdecimal() or len(number) > ID_DIGITS_MAX:
            return super().get_search_results(request, queryset, search_term)  # type: ignore[misc, no-any-return]  # of the admin this is mixed into
        wanted = Q()
        for name in self.number_fields:
            wanted |= Q(**{name: int(number)})
        for name in self.exact_fields:
            wanted |= Q(**{name: search_term.strip()})
        return queryset.filter(wanted), bool(self.exact_fields)


class NewestSearch:
    """Mix-in for logs: words are looked for in the newest rows only, so that a search costs the same whatever the age.

    Numbers, references and whatever else an index finds is looked for in all of them by the classes before this one.
    """

    searched_rows = 100_000

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[Any, bool]:
        """The rows, and whether some may come twice."""
        if search_term.strip():
            newest = queryset.order_by("-pk").values_list("pk", flat=True).first() or 0
            queryset = queryset.filter(pk__gt=newest - self.searched_rows)
        return super().get_search_results(request, queryset, search_term)  # type: ignore[misc, no-any-return]  # of the admin this is mixed into


# ---- services behind forms and dialogs -------------------------------------------------------------------------------
class _Unwrapped(PlainModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """No transaction around a whole form: services open and retry their own; what they refuse is shown in the form."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        try:
            return self._changeform_view(request, object_id, form_url, extra_context)  # type: ignore[attr-defined]  # of the admin this is mixed into
        except DomainError as refusal:
            request.refusal = refusal  # type: ignore[attr-defined]  # ours, on Django's request
            return self._changeform_view(request, object_id, form_url, extra_context)  # type: ignore[attr-defined]  # of the admin this is mixed into


class Walled(PlainModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Lists, pages, look-ups and choices end at the asker's walls (`wall_columns` of the models)."""

    shown_to_bound = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The rows inside; nothing of what is the whole shop's alone (`shown_to_bound` False)."""
        found = super().get_queryset(request)
        return walls.of(found) if walls.own() is None or self.shown_to_bound else found.none()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Choices inside."""
        if walls.own() is not None and "queryset" not in kwargs:
            kwargs["queryset"] = walls.of(db_field.related_model._default_manager.all())  # noqa: SLF001  (Django's own way)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class PlaceFilter(RelatedDropdownFilter):
    """A filter by warehouse that offers those inside the asker's walls."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        """The choices."""
        found: list[tuple[Any, str]] = super().field_choices(field, request, model_admin)
        return [one for one in found if not walls.hides(one[0])]


class SaysRefusals(_Unwrapped):
    """Mix-in: `save_model` calls a service, and a DomainError of it comes back as the form's error."""

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type["ModelForm[Any]"]:
        """The form; after a refusal one that says what was refused, with the input kept."""
        form: type[ModelForm[Any]] = super().get_form(request, obj, change=change, **kwargs)
        refusal = getattr(request, "refusal", None)
        return _refused(form, refusal) if refusal is not None else form


class ServiceAdmin(ModelAdmin, SaysRefusals, Walled):
    """An admin whose writes are services."""

    show_full_result_count = False
    list_filter_submit = True
    list_per_page = 50
    warn_unsaved_form = True

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing with a history is deleted."""
        return False


def _refused(form: type["ModelForm[Any]"], refusal: DomainError) -> type["ModelForm[Any]"]:
    class RefusedForm(form):  # type: ignore[valid-type, misc]  # a base class known at run time only
        def clean(self) -> Any:
            cleaned = super().clean()
            self.add_error(None, refusal.detail)
            return cleaned

    return RefusedForm


class PlainNumbers:
    """Mix-in for model forms: numbers as people write them, 1 and not 1.000, 9.50 and not 9.5000."""

    money_fields: frozenset[str] = frozenset()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, value in self.initial.items():  # type: ignore[attr-defined]  # of the form this is mixed into
            if isinstance(value, Decimal):
                number = Decimal(plain(value))
                is_money = name in self.money_fields and has_places(number, MONEY_PLACES_SHOWN)
                self.initial[name] = number.quantize(Decimal("0.01")) if is_money else number  # type: ignore[attr-defined]  # of the form this is mixed into


class ReadOnlyAdmin(ModelAdmin, Walled):
    """History: searched and read, never added to, changed or deleted by hand, whoever asks."""

    show_full_result_count = False
    paginator = CappedPaginator
    list_filter_submit = True
    list_per_page = 50
    actions: Any = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never by hand."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never by hand."""
        return False


@contextmanager
def acting(request: HttpRequest) -> Iterator[int]:
    """Who asks is the actor of everything that is written inside."""
    actor: int = request.user.pk  # type: ignore[assignment]  # nobody anonymous gets here
    token = context.actor_id.set(actor)
    try:
        yield actor
    finally:
        context.actor_id.reset(token)


def row_or_404(rows: QuerySet[M], number: Any) -> M:
    """The row with this id; raises Http404 when there is none, or when it is no number."""
    found = (
        walls.of(rows).filter(pk=number).first()
        if str(number).isdecimal() and len(str(number)) <= ID_DIGITS_MAX
        else None
    )
    if found is None:
        raise Http404(f"There is no {rows.model._meta.verbose_name} {number}.")
    return found


class Dialog(BaseDialogForm):
    """A dialog of one changing action: what it will do in `summary`, what was refused above the fields."""

    def summary(self) -> str:
        """One line on what the action will act on."""
        return ""

    def render_before_template(self) -> str:
        """The summary, and the errors that belong to no field."""
        return render_to_string(
            "admin/dialog_before.html", {"summary": self.summary(), "errors": self.non_field_errors()}
        )


Work = Callable[..., str]


def service_dialog(
    title: str,
    *,
    form: type[Dialog],
    submit: str,
    permission: str,
    description: str = "",
    icon: str = "",
    variant: ActionVariant = ActionVariant.DEFAULT,
) -> Callable[[Work], Any]:
    """A changing action on one row: GET shows `form` in a dialog, only POST runs the method.

    The method gets (request, form, object id) and returns the success message; a DomainError is shown in the dialog in
    its own words. `permission` names the admin's `has_…_permission`. A row that the admin does not list for the asker
    answers 404, whatever the form looks at.
    """
    dialog = ActionDialog(title=title, description=description, form_class=form, form_submit_text=submit)

    def decorate(work: Work) -> Any:
        @wraps(work)
        def view(self: Any, request: HttpRequest, filled: Dialog, object_id: str) -> HttpResponse:
            try:
                with acting(request):
                    message = work(self, request, filled, int(object_id))
            except DomainError as error:
                filled.add_error(None, error.detail)
                return render(
                    request,
                    "unfold/helpers/dialog.html",
                    {"dialog": dialog, "form": filled, "form_submit_text": submit},
                )
            messages.success(request, message)
            return back(request)

        opened = action(description=title, permissions=[permission], icon=icon, variant=variant, dialog=dialog)(view)

        @wraps(opened)
        def walled(self: Any, request: HttpRequest, object_id: str) -> HttpResponse:
            row_or_404(self.get_queryset(request), object_id)
            answer: HttpResponse = opened(self, request, object_id=object_id)
            return answer

        return walled

    return decorate


def back(request: HttpRequest) -> HttpResponse:
    """To the page the dialog stood on, shown anew."""
    url = request.headers.get("HX-Current-URL") or request.META.get("HTTP_REFERER") or ""
    if not url_has_allowed_host_and_scheme(url, {request.get_host()}):
        url = request.path.rstrip("/").rpartition("/")[0] + "/change/"
    if request.headers.get("HX-Request"):
        return HttpResponse(status=200, headers={"HX-Redirect": url.partition("#")[0]})
    return HttpResponseRedirect(url)


def each(request: HttpRequest, rows: Iterable[Any], *, work: Callable[[Any], str], done: str, failed: str) -> None:
    """Run a service on every row, each in its own transaction, and say per row what became of it."""
    results: list[str] = []
    refused: list[str] = []
    with acting(request):
        for row in rows:
            try:
                results.append(work(row))
            except DomainError as error:
                refused.append(f"{row}: {error.detail}")
    if results:
        messages.success(request, f"{len(results)} {done}: {', '.join(results)}.")
    for text in refused[:FAILURES_SHOWN_MAX]:
        messages.error(request, text)
    if len(refused) > FAILURES_SHOWN_MAX:
        messages.error(request, f"… and {len(refused) - FAILURES_SHOWN_MAX} more that were {failed}.")


# ---- core's own tables -----------------------------------------------------------------------------------------------
@admin.register(Event)
class EventAdmin(NewestSearch, ReadOnlyAdmin):
    """The event log: every committed fact, in the order the screens hear of it."""

    shown_to_bound = False

    list_display = ["seq", "type", "topic", "subject_id", "actor_id", "request_id", "created_at"]
    list_display_links = ["seq", "type"]
    list_filter = ["topic", ("created_at", DayRangeFilter)]
    search_fields = ["=request_id", "=type"]
    search_help_text = "Number of the product or order; request id or type among the newest 100,000"
    ordering = ["-id"]

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Event], search_term: str) -> tuple[Any, bool]:
        """A number is a place in the log or what a fact is about: two look-ups by index, for an OR finds none."""
        number = search_term.strip()
        if not number.isdecimal() or len(number) > ID_DIGITS_MAX:
            return super().get_search_results(request, queryset, search_term)
        about = Event.objects.filter(topic__in=LOGGED_TOPICS, subject_id=int(number)).order_by("-id")
        places = Event.objects.filter(seq=int(number))
        found = [*about.values_list("pk", flat=True)[:FOUND_MAX], *places.values_list("pk", flat=True)]
        return queryset.filter(pk__in=found), False

    fields = [
        "seq",
        "type",
        "topic",
        "subject_id",
        "owner_id",
        "actor_id",
        "request_id",
        "created_at",
        "payload",
        "companions",
    ]


@admin.register(FieldChange)
class FieldChangeAdmin(NumberSearch, ReadOnlyAdmin):
    """What products, warehouses and accounts were changed from and to, by whom."""

    list_display = ["created_at", "subject_type", "subject_id", "field", "before", "after", "actor_id", "request_id"]
    list_filter = [("created_at", DayRangeFilter)]
    search_fields = ["=request_id", "=field"]
    number_fields = ("subject_id",)
    search_help_text = "Number of the product, warehouse or user, request id, or field"
    ordering = ["-id"]
    fields = [
        ("subject_type", "subject_id"), ("field", "created_at"), ("before", "after"), ("actor_id", "request_id"),
        "warehouse_id",
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[FieldChange]:
        """Without the accounts' changes for who may not see accounts."""
        found = super().get_queryset(request)
        return found if request.user.has_perm("accounts.view_user") else found.exclude(subject_type="user")


@admin.register(EventCursor)
class EventCursorAdmin(ReadOnlyAdmin):
    """How far each reader of the event log has come."""

    list_display = ["name", "seq", "updated_at"]
    search_fields = ["name"]
    fields = ["name", "seq", "updated_at"]


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin):
    """Which requests came with an Idempotency-Key. The answers stay unseen: one may hold a secret shown only once."""

    shown_to_bound = False

    list_display = ["key", "user_id", "status", "created_at"]
    list_filter = [("created_at", DayRangeFilter)]
    search_fields = ["=key"]
    search_help_text = "The key as it was sent"
    ordering = ["-id"]
    fields = ["key", "user_id", "status", "request_hash", "created_at"]
