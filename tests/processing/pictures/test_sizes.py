"""What becomes of pictures: square, upright, in every size, and nothing told beside."""

import blurhash
import pytest

from services.common.images import ENDINGS, SIZES, file_name
from services.processing.pictures.header import MAX_PIXELS, MAX_SIDE
from tests.support import pictures

UPRIGHT = ["red", "green", "blue", "white"]
SECRET = b"59.9343 N, 30.3351 E"


def every(made):
    """List the images with their sizes."""
    return [(size, made.files[file_name(size, ending)]) for size in SIZES for ending in ENDINGS]


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
async def test_every_size_is_made_in_both_formats(ending, made):
    """The same four quarters in all of them."""
    images = await made(pictures.drawn(ending, 1600, 1600))

    assert len(images.files) == len(SIZES) * len(ENDINGS)
    for size, image in every(images):
        assert pictures.pixels(image).shape == (size, size, 3)
        assert pictures.corners(image) == UPRIGHT
    assert {images.files[file_name(size, "webp")][8:12] for size in SIZES} == {b"WEBP"}
    assert {images.files[file_name(size, "jpg")][:3] for size in SIZES} == {b"\xff\xd8\xff"}


async def test_nothing_is_enlarged(made):
    """Under the names of larger sizes is the largest square that the source has."""
    images = await made(pictures.drawn("png", 400, 360))

    assert [len(pictures.pixels(image)) for _, image in every(images)] == [64, 64, 300, 300, 360, 360, 360, 360]


@pytest.mark.parametrize(("width", "height"), [(900, 300), (300, 900)], ids=["wide", "high"])
async def test_the_square_is_cut_from_the_middle(width, height, made):
    """What is left and right of it, or above and below, falls away."""
    images = await made(pictures.drawn("png", width, height))

    assert pictures.pixels(images.files["300.webp"]).shape == (300, 300, 3)
    assert pictures.corners(images.files["300.webp"]) == UPRIGHT


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_a_photograph_stands_upright(orientation, made):
    """However the camera was held; EXIF says it."""
    photograph = pictures.turned(pictures.drawn("jpg"), orientation)

    images = await made(photograph)

    # The decoder of the tests reads EXIF by itself and turns the source, but finds none in what was made of it.
    assert pictures.corners(images.files["300.jpg"]) == pictures.corners(photograph)
    assert pictures.corners(images.files["300.webp"]) == pictures.corners(photograph)


async def test_nothing_that_the_file_says_about_itself_is_kept(made):
    """Neither where a photograph was taken nor by what."""
    images = await made(pictures.turned(pictures.drawn("jpg"), 6, SECRET))

    for _, image in every(images):
        assert SECRET not in image
        assert b"Exif" not in image
        assert b"Lav" not in image


@pytest.mark.parametrize("ending", ["png", "webp"])
async def test_of_an_animation_the_first_frame_is_shown(ending, made):
    """It begins red."""
    images = await made(pictures.animated(ending))

    assert {name: set(pictures.corners(image)) for name, image in images.files.items()} == {
        name: {"red"} for name in images.files
    }


async def test_inks_become_light(made):
    """A picture for print, in four inks."""
    images = await made(pictures.cmyk_jpeg())

    assert set(pictures.corners(images.files["64.jpg"])) == {"yellow"}


async def test_what_is_transparent_becomes_white(made):
    """In both formats alike, whatever colour is hidden behind it."""
    images = await made(pictures.plain("png", 80, 80, "-vf", "format=rgba,colorchannelmixer=aa=0"))

    assert set(pictures.corners(images.files["64.jpg"]) + pictures.corners(images.files["64.webp"])) == {"white"}


@pytest.mark.parametrize(
    ("arguments", "ending"),
    [
        (("-pix_fmt", "rgba64be"), "png"),
        (("-pix_fmt", "gray"), "png"),
        (("-pix_fmt", "pal8"), "png"),
        (("-pix_fmt", "monob"), "png"),
        (("-pix_fmt", "gray16be"), "png"),
        (("-pix_fmt", "yuvj444p"), "jpg"),
        (("-pix_fmt", "yuvj422p"), "jpg"),
        (("-pix_fmt", "bgra", "-lossless", "1"), "webp"),
    ],
)
async def test_every_depth_of_colour_is_taken(arguments, ending, made):
    """From one bit to sixteen, with a palette, without colour."""
    images = await made(pictures.drawn(ending, 200, 200, *arguments))

    assert len({len(pictures.pixels(image)) for _, image in every(images)}) == 2


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
async def test_a_single_pixel_is_a_picture(ending, made):
    """Every size is one pixel."""
    images = await made(pictures.plain(ending, 1, 1))

    assert {len(pictures.pixels(image)) for _, image in every(images)} == {1}


@pytest.mark.parametrize("width", [MAX_SIDE - 1, MAX_PIXELS // MAX_SIDE], ids=["wide", "high"])
async def test_the_largest_picture_fits_the_memory(width, made):
    """Also where every pixel has four inks and the picture has to be turned, which is the most that a decoder holds."""
    height = MAX_PIXELS // width

    images = await made(pictures.turned(pictures.cmyk_jpeg(width, height), 6))

    assert len(pictures.pixels(images.files["1500.webp"])) == 1500


async def test_the_blur_hash_shows_where_the_colours_are(made):
    """Decoded again, its corners are those of the picture."""
    images = await made(pictures.drawn("png"))

    preview = blurhash.decode(images.blur_hash, 9, 9)

    assert [pictures.color(preview[y][x]) for y in (2, 6) for x in (2, 6)] == UPRIGHT


async def test_the_same_picture_makes_the_same_bytes(made):
    """Two attempts that write the same names cannot disagree."""
    picture = pictures.drawn("jpg")

    assert await made(picture) == await made(picture)
