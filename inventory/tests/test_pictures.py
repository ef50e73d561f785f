"""Product pictures: what is kept of an upload, who sees it, and that a form saves all of it or nothing."""

import io
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from accounts.models import User
from inventory.errors import ProductUnknown
from inventory.models import Product, ProductPicture, Warehouse
from inventory.services import pictures
from workbox.core.errors import Invalid

RED, BLUE = (200, 30, 30), (30, 30, 200)


def picture(
    kind: str = "PNG", size: tuple[int, int] = (800, 400), *, colour: tuple[int, int, int] = RED, **options: object
) -> bytes:
    """An upload: the left half in `colour`, the right half blue."""
    drawn = Image.new("RGBA" if kind == "WEBP" else "RGB", size, BLUE)
    drawn.paste(colour, (0, 0, size[0] // 2, size[1]))
    found = io.BytesIO()
    drawn.save(found, kind, **options)
    return found.getvalue()


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


@pytest.fixture
def lamp(make_product: Callable[..., Product]) -> Product:
    return make_product("Lamp", sku="LAMP", price="10")


@pytest.fixture
def manager(make_user: Callable[..., User]) -> Client:
    client = Client()
    client.force_login(make_user("manager"))
    return client


def form(product: Product, **values: object) -> dict[str, object]:
    """The change form as the browser sends it."""
    return {
        "sku": product.sku, "name": product.name, "description": "", "unit": product.unit_id, "price": "10",
        "unit_cost": "", "reorder_threshold": "0", "reorder_quantity": "0", "is_stocked": "on",
        "barcodes-TOTAL_FORMS": "0", "barcodes-INITIAL_FORMS": "0", **values,
    }  # fmt: skip


def uploaded(content: bytes, name: str = "lamp.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


# ---- what is kept ----------------------------------------------------------------------------------------------------
@pytest.mark.once
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_small_webp_is_kept_of_every_kind(kind: str) -> None:
    kept = opened(pictures.as_kept(io.BytesIO(picture(kind, (1600, 800)))))
    assert (kept.format, kept.size) == ("WEBP", (640, 320))
    left, right = (kept.convert("RGB").getpixel((x, 160)) for x in (80, 560))
    assert left[0] > 150 > left[2]  # type: ignore[index]  # an RGB pixel is three numbers
    assert right[2] > 150 > right[0]  # type: ignore[index]  # as above


@pytest.mark.once
def test_a_small_picture_is_not_blown_up_and_one_from_a_turned_camera_stands_upright() -> None:
    assert opened(pictures.as_kept(io.BytesIO(picture(size=(40, 20))))).size == (40, 20)
    turned = Image.Exif()
    turned[0x0112] = 6  # "rotate by 90 degrees clockwise to see it upright"
    turned[0x010F] = "Camera maker"
    kept = opened(pictures.as_kept(io.BytesIO(picture("JPEG", (80, 40), exif=turned.tobytes()))))
    assert kept.size == (40, 80)
    assert dict(kept.getexif()) == {}


@pytest.mark.once
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "not a picture"),
        (picture()[:200], "not a picture"),
        (picture("BMP", (20, 20)), "not a picture"),
        (b"\xff\xd8\xff" + b"\0" * pictures.UPLOAD_BYTES_MAX, "larger than 10 MB"),
        (picture("GIF", (8000, 7000)), "more than 50 million pixels"),
        (picture("GIF", (11000, 9000)), "not a picture"),  # Pillow's own guard against such bombs speaks first
    ],
    ids=["nothing", "svg", "cut off", "bmp", "too many bytes", "too many pixels", "bomb"],
)
def test_what_is_no_picture_or_too_large_is_refused(content: bytes, told: str) -> None:
    with pytest.raises(Invalid, match=told) as refused:
        pictures.as_kept(io.BytesIO(content))
    assert set(refused.value.fields) == {"picture"}


@pytest.mark.django_db
def test_a_product_has_one_picture_and_another_has_another_version(lamp: Product) -> None:
    pictures.set_picture(lamp.pk, pictures.as_kept(io.BytesIO(picture())))
    first = ProductPicture.objects.get().version
    pictures.set_picture(lamp.pk, pictures.as_kept(io.BytesIO(picture(colour=(0, 90, 0)))))
    assert ProductPicture.objects.get().version != first
    pictures.remove_picture(lamp.pk)
    pictures.remove_picture(lamp.pk)
    assert not ProductPicture.objects.exists()
    with pytest.raises(ProductUnknown):
        pictures.set_picture(10**9, b"x")


# ---- in the admin ----------------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_a_manager_gives_a_picture_and_the_lookup_shows_it(manager: Client, lamp: Product, main: Warehouse) -> None:
    page = f"/admin/inventory/product/{lamp.pk}/change/"
    bare = manager.get(f"/admin/lookup/{lamp.pk}/").content.decode()
    assert 'class="wb-lookup-picture" aria-hidden="true">L<' in bare
    assert manager.post(page, form(lamp, picture=uploaded(picture()))).status_code == 302
    version = ProductPicture.objects.get(product=lamp).version
    url = f"/admin/inventory/product/{lamp.pk}/picture/?v={version}"
    assert f'<img src="{url}" alt="Lamp">' in manager.get(f"/admin/lookup/{lamp.pk}/").content.decode()
    assert url in manager.get(page).content.decode()
    answer = manager.get(url)
    assert (answer["Content-Type"], answer["Cache-Control"]) == ("image/webp", "private, max-age=31536000, immutable")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert opened(answer.content).size == (640, 320)
    assert manager.get(url[:-1])["Cache-Control"] == "private, no-cache"
    manager.post(page, form(lamp))
    assert ProductPicture.objects.get(product=lamp).version == version
    manager.post(page, form(lamp, **{"picture-clear": "on"}))
    assert not ProductPicture.objects.exists()
    assert manager.get(url).status_code == 404


@pytest.mark.django_db
def test_a_new_product_comes_with_its_picture(manager: Client, lamp: Product, main: Warehouse) -> None:
    opening = {"opening_quantity": "", "opening_warehouse": ""}
    sent = form(lamp, sku="NEW", name="Brand new", picture=uploaded(picture()), **opening)
    assert manager.post("/admin/inventory/product/add/", sent).status_code == 302
    assert ProductPicture.objects.get().product.sku == "NEW"


@pytest.mark.django_db
def test_a_refused_picture_or_price_saves_neither(manager: Client, lamp: Product, main: Warehouse) -> None:
    page = f"/admin/inventory/product/{lamp.pk}/change/"
    answer = manager.post(page, form(lamp, price="77", picture=uploaded(b"no picture")))
    assert "not a picture this program can read" in answer.content.decode()
    lamp.refresh_from_db()
    assert lamp.price == Decimal(10)
    answer = manager.post(page, form(lamp, sku="X" * 65, picture=uploaded(picture())))
    assert answer.status_code == 200
    assert not ProductPicture.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("role", "status"), [("user", 302), ("clerk", 200), ("analyst", 200), ("manager", 200), ("admin", 200)]
)
def test_staff_see_it_and_customers_do_not(
    role: str, status: int, lamp: Product, make_user: Callable[..., User]
) -> None:
    pictures.set_picture(lamp.pk, pictures.as_kept(io.BytesIO(picture())))
    client = Client()
    client.force_login(make_user(role))
    assert client.get(f"/admin/inventory/product/{lamp.pk}/picture/").status_code == status
    sent = form(lamp, picture=uploaded(picture(colour=(0, 90, 0))))
    before = ProductPicture.objects.get().version
    client.post(f"/admin/inventory/product/{lamp.pk}/change/", sent)
    assert (ProductPicture.objects.get().version != before) == (role in {"manager", "admin"})
