"""A product's picture: whatever camera or shop it comes from, one small WebP is kept.

It lies in the database, so that every server has it and a backup holds it. The original is not kept, and with it go
what cameras write into it (place, owner) and whatever else might have been hidden in it.
"""

import hashlib
import io
from typing import IO

from PIL import Image, ImageOps

from inventory.errors import ProductUnknown
from inventory.models import Product, ProductPicture
from workbox.core.db import transactional
from workbox.core.errors import Invalid

EDGE = 640  # pixels of the longer side of what is kept
UPLOAD_BYTES_MAX = 10_000_000
PIXELS_MAX = 50_000_000
CONTENT_TYPE = "image/webp"
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
_QUALITY = 82
_VERSION_LENGTH = 16


@transactional
def set_picture(product_id: int, kept: bytes) -> None:
    """The product has this picture, made by `as_kept`. Raises ProductUnknown."""
    if not Product.objects.select_for_update().filter(pk=product_id).exists():
        raise ProductUnknown(f"There is no product {product_id}.")
    version = hashlib.sha256(kept).hexdigest()[:_VERSION_LENGTH]
    ProductPicture.objects.update_or_create(product_id=product_id, defaults={"content": kept, "version": version})


@transactional
def remove_picture(product_id: int) -> None:
    """The product has no picture; it need not have had one."""
    ProductPicture.objects.filter(product_id=product_id).delete()


def as_kept(upload: IO[bytes]) -> bytes:
    """The bytes that are kept of an upload: upright, at most 640 pixels a side, WebP.

    Raises Invalid for what is no JPEG, PNG, WebP or GIF, and for what is too large.
    """
    original = upload.read(UPLOAD_BYTES_MAX + 1)
    if len(original) > UPLOAD_BYTES_MAX:
        raise _refused(f"the file is larger than {UPLOAD_BYTES_MAX // 1_000_000} MB; save it smaller")
    try:
        with Image.open(io.BytesIO(original), formats=_FORMATS) as found:
            if found.width * found.height > PIXELS_MAX:
                raise _refused(f"it has more than {PIXELS_MAX // 1_000_000} million pixels; save it smaller")
            found.draft("RGB", (EDGE, EDGE))
            upright = ImageOps.exif_transpose(found)
            small = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _refused("it is not a picture this program can read; use JPEG, PNG, WebP or GIF") from error
    small.thumbnail((EDGE, EDGE))
    kept = io.BytesIO()
    small.save(kept, "WEBP", quality=_QUALITY)
    return kept.getvalue()


def _refused(what: str) -> Invalid:
    return Invalid(f"picture: {what}.", fields={"picture": [what]})
