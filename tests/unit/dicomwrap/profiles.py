"""Colour profiles made on the spot, with a secret wherever a profile has room for one."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping, Sequence

from PIL import Image, ImageCms

SRGB = (0.4361, 0.2225, 0.0139, 0.3851, 0.7169, 0.0971, 0.1431, 0.0606, 0.7141)
DISPLAY_P3 = (0.5151, 0.2412, -0.0011, 0.2920, 0.6922, 0.0419, 0.1571, 0.0666, 0.7841)
ADOBE_RGB = (0.6097, 0.3111, 0.0195, 0.2053, 0.6257, 0.0609, 0.1492, 0.0632, 0.7446)
ROMM_RGB = (0.7977, 0.2880, 0.0, 0.1352, 0.7119, 0.0, 0.0313, 0.0001, 0.8249)
D50 = (0.9642, 1.0, 0.8249)
D65 = (0.9505, 1.0, 1.0891)
INTENTS = tuple(ImageCms.Intent)

Elements = Mapping[bytes, bytes]


def canary(place: str) -> bytes:
    """Return 16 bytes that no profile of ours may hold; as numbers they run up and down, and are large."""
    return f"zA{place[:9]:9}nary!".encode("ascii")


def fixed(*numbers: float) -> bytes:
    """Return numbers as s15Fixed16Number."""
    return struct.pack(f">{len(numbers)}i", *(round(number * 65_536) for number in numbers))


def xyz(*numbers: float) -> bytes:
    """Return an XYZType element."""
    return b"XYZ " + bytes(4) + fixed(*numbers)


def curve(*entries: int) -> bytes:
    """Return a curveType element."""
    return b"curv" + bytes(4) + struct.pack(f">I{len(entries)}H", len(entries), *entries)


def formula(function: int, *parameters: float) -> bytes:
    """Return a parametricCurveType element."""
    return b"para" + bytes(4) + struct.pack(">HH", function, 0) + fixed(*parameters)


def srgb_formula() -> bytes:
    """Return the tone curve of sRGB and Display P3."""
    return formula(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def sampled(exponent: float, count: int = 256) -> bytes:
    """Return a power function as a table."""
    return curve(*(round(0xFFFF * (number / (count - 1)) ** exponent) for number in range(count)))


def shaped(primaries: Sequence[float] = SRGB, tone: bytes | None = None) -> dict[bytes, bytes]:
    """Return the elements of a profile made of primaries and tone curves."""
    columns = {name: xyz(*primaries[3 * n : 3 * n + 3]) for n, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    return {b"wtpt": xyz(*D50), **columns, **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), tone or srgb_formula())}


def corners(grid: int, highest: int) -> list[int]:
    """Return a table of three values for each point of a grid, with some colour in it."""
    steps = [highest * number // (grid - 1) for number in range(grid)]
    return [value for r in steps for g in steps for b in steps for value in ((r + g) // 2, (r + 2 * g + b) // 4, b)]


def lut8(grid: int = 3) -> bytes:
    """Return a lut8Type element."""
    ramp = bytes(range(256)) * 3
    identity = fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    return b"mft1" + bytes(4) + bytes((3, 3, grid, 0)) + identity + ramp + bytes(corners(grid, 255)) + ramp


def lut16(grid: int = 3, entries: int = 5) -> bytes:
    """Return a lut16Type element."""
    ramp = struct.pack(f">{entries}H", *(0xFFFF * number // (entries - 1) for number in range(entries))) * 3
    points = corners(grid, 0xFFFF)
    head = b"mft2" + bytes(4) + bytes((3, 3, grid, 0)) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    return head + struct.pack(">HH", entries, entries) + ramp + struct.pack(f">{len(points)}H", *points) + ramp


def staged(*, tone: bytes | None = None, grid: int = 3, precision: int = 2, stages: str = "BTMCA") -> bytes:
    """Return a lutAToBType element with the stages asked for: B, M and A curves, the matrix (T) and the grid (C)."""
    one = tone or srgb_formula()
    curves = (one + bytes(-len(one) % 4)) * 3
    points = corners(grid, 0xFFFF if precision == 2 else 0xFF)
    table = bytes((grid, grid, grid)) + bytes(13) + bytes((precision, 0, 0, 0))
    table += struct.pack(f">{len(points)}{'BH'[precision - 1]}", *points)
    parts = {
        "B": curves,
        "T": fixed(0.5, 0.2, 0.1, 0.2, 0.7, 0.1, 0, 0.1, 0.8, 0.01, 0, 0),
        "M": curves,
        "C": table + bytes(-len(table) % 4),
        "A": curves,
    }
    offsets, body = [], b""
    for letter, part in parts.items():
        offsets.append(32 + len(body) if letter in stages else 0)
        body += part if letter in stages else b""
    return b"mAB " + bytes(4) + bytes((3, 3, 0, 0)) + struct.pack(">5I", *offsets) + body


def profile(
    elements: Elements,
    *,
    version: tuple[int, int] = (4, 3),
    device: bytes = b"mntr",
    space: bytes = b"RGB ",
    connection: bytes = b"XYZ ",
    intent: int = 0,
    free: bytes = b"",
    gap: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """Return a profile: ``free`` fills free fields of the header, ``gap`` goes after elements, ``after`` to the end."""
    table, body = b"", b""
    for signature, element in elements.items():
        table += struct.pack(">4sII", signature, 132 + 12 * len(elements) + len(body), len(element))
        body += element + bytes(-len(element) % 4) + gap
    size = 132 + len(table) + len(body)
    kind = struct.pack(">I4sBBH4s4s4s", size, free[:4], version[0], version[1] << 4, 0, device, space, connection)
    date = struct.pack(">6H", 2025, 3, 1, 10, 15, 30)
    names = free[:16].ljust(24, b"\0")  # platform, flags, manufacturer, model, attributes
    rest = fixed(*D50) + (free[:4] + free + free).ljust(48, b"\0")[:48]  # creator, identity, reserved
    head = kind + date + b"acsp" + names + struct.pack(">I", intent) + rest
    return head + struct.pack(">I", len(elements)) + table + body + after


def lcms_srgb() -> bytes:
    """Return the profile that LittleCMS makes for sRGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def picture() -> Image.Image:
    """Return every grey, and colours from all over the cube."""
    values = [value for number in range(256) for value in (number, number, number)]
    values += [number * factor % 256 for number in range(1024) for factor in (7, 61, 151)]
    return Image.frombytes("RGB", (64, 20), bytes(values))


def colours(icc: bytes, intent: ImageCms.Intent = ImageCms.Intent.PERCEPTUAL) -> bytes:
    """Return what LittleCMS makes of the picture when it has this profile."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    way = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), "RGB", "RGB", renderingIntent=intent)
    seen = ImageCms.applyTransform(picture(), way)
    assert seen is not None
    return seen.tobytes()


def furthest(one: bytes, other: bytes) -> int:
    """Return by how many levels two pictures differ at most."""
    return max(abs(left - right) for left, right in zip(one, other, strict=True))
