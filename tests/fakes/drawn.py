"""Pictures drawn on the spot in which a detector sees what a photograph has: a face, letters, neither."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFilter, ImageFont

FACE = (205, 140, 395, 460)
LABEL = (120, 200, 660, 270)


def face(size: tuple[int, int] = (600, 600)) -> Image.Image:
    """Return a face of nobody at ``FACE``."""
    picture = Image.new("RGB", size, (120, 150, 170))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((190, 100, 410, 420), fill=(60, 40, 30))
    draw.ellipse(FACE, fill=(224, 180, 150))
    for middle in (262, 337):
        draw.ellipse((middle - 22, 250, middle + 22, 275), fill=(245, 245, 245))
        draw.ellipse((middle - 11, 250, middle + 11, 275), fill=(50, 35, 25))
        draw.line((middle - 27, 233, middle + 27, 233), fill=(60, 40, 30), width=8)
    draw.polygon((300, 270, 280, 335, 320, 335), fill=(205, 155, 125))
    draw.ellipse((255, 365, 345, 395), fill=(170, 80, 80))
    draw.line((255, 380, 345, 380), fill=(110, 40, 40), width=3)
    return picture.filter(ImageFilter.GaussianBlur(3))


def label(size: tuple[int, int] = (800, 600)) -> Image.Image:
    """Return a sticker with a name at ``LABEL``, in front of skin."""
    picture = plain(size)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((100, 180, 700, 300), fill=(250, 250, 245))
    draw.text(LABEL[:2], "DOE JANE 01/02/1970", fill=(20, 20, 30), font=ImageFont.load_default(52))
    return picture.filter(ImageFilter.GaussianBlur(0.8))


def plain(size: tuple[int, int] = (800, 600)) -> Image.Image:
    """Return skin and nothing else."""
    return Image.new("RGB", size, (205, 160, 140))
