"""From any size to the contract's: one resize, with the contract's filter."""

from PIL import Image

from pictor_contract.contract import PictureInput

Box = tuple[float, float, float, float]


def scaled_size(size: tuple[int, int], picture_input: PictureInput) -> tuple[int, int]:
    """Return (width, height) after the resize: the input's, or for "pad" the part that the picture fills."""
    width, height = size
    wanted = picture_input.width, picture_input.height
    if picture_input.fit != "pad":
        return wanted
    scale = min(wanted[0] / width, wanted[1] / height)
    return (
        min(max(round(width * scale), 1), wanted[0]),
        min(max(round(height * scale), 1), wanted[1]),
    )


def resize(image: Image.Image, size: tuple[int, int], box: Box, picture_input: PictureInput) -> Image.Image:
    """Resize what lies in `box` to `size`; the same object, untouched, where nothing has to change."""
    if picture_input.fit == "crop":
        box = _centre(box, size)
    whole: Box = (0.0, 0.0, float(size[0]), float(size[1]))
    if image.size == size and box == whole:
        return image
    return image.resize(size, Image.Resampling[picture_input.resize_filter.upper()], box)


def pad(
    image: Image.Image, picture_input: PictureInput, background: int | tuple[int, int, int]
) -> Image.Image:
    """Lay the picture on the middle of a canvas of the input's size, unless it fills it."""
    size = picture_input.width, picture_input.height
    if image.size == size:
        return image
    canvas = Image.new(image.mode, size, background)
    canvas.paste(image, ((size[0] - image.width) // 2, (size[1] - image.height) // 2))
    return canvas


def _centre(box: Box, size: tuple[int, int]) -> Box:
    """Find the largest box of `size`'s shape in the middle of `box`; clipped, as float sums may leave it."""
    left, top, right, bottom = box
    scale = min((right - left) / size[0], (bottom - top) / size[1])
    aside = (right - left - size[0] * scale) / 2
    above = (bottom - top - size[1] * scale) / 2
    return (
        max(left + aside, left),
        max(top + above, top),
        min(right - aside, right),
        min(bottom - above, bottom),
    )
