"""Photographs turned into ink: outlines, flat tones, and the dots and lines that screentone prints them with."""

from __future__ import annotations

import math
from random import Random

import numpy as np
from canvas import Photos, Pixels, reduced
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, median_filter

Plane = NDArray[np.float32]
FINE = 2  # finer pixels across each one: what is thresholded is then averaged


def screen(rng: Random, width: int, height: int, period: float, angle: float) -> Plane:
    """Return the threshold of a screen of dots or lines, in [0, 1], with the period in px."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    u = (x * math.cos(angle) + y * math.sin(angle)) * math.tau / period
    v = (y * math.cos(angle) - x * math.sin(angle)) * math.tau / period
    waves = 0.5 + 0.25 * (np.cos(u) + np.cos(v)) if rng.random() < 0.8 else 0.5 + 0.5 * np.cos(u)
    return np.clip(waves, 0, 1).astype(np.float32)


def edge(values: Plane, width: float) -> Plane:
    """Return 0 below zero and 1 above, with a ramp of `width`."""
    return np.asarray(np.clip(values / width + 0.5, 0, 1))


def printed(rng: Random, tone: Plane, period: float) -> Plane:
    """Return a tone (0 black, 1 white) as dots or lines of ink on white, one period of the screen in px."""
    height, width = tone.shape
    angle = rng.choice([math.pi / 4, math.pi / 4, 0, rng.uniform(0, math.pi)])
    threshold = screen(rng, width, height, period, angle)
    return edge(tone - 0.02 - 0.96 * threshold, 1.5 * math.pi / period / 2)


def outlines(rng: Random, grey: Plane, sigma: float) -> Plane:
    """Return dark lines where the picture has edges, as a difference of two blurs cut off at a level."""
    sharp, soft = gaussian_filter(grey, sigma), gaussian_filter(grey, 1.6 * sigma)
    weight, level = rng.uniform(12, 25), rng.uniform(0.05, 0.35)
    difference = (1 + weight) * sharp - weight * soft
    return edge(difference - level, 0.5)


def eight_bits(fine: Plane) -> Pixels:
    """Return a picture in [0, 1], FINE times finer, reduced and as 8 bits of three colours."""
    levels = np.rint(np.clip(fine, 0, 1) * 255).astype(np.uint8)
    return reduced(np.ascontiguousarray(np.broadcast_to(levels, (*fine.shape[:2], 3))), FINE)


def inked(rng: Random, photos: Photos, width: int, height: int) -> Pixels:
    """Return a photograph as a panel of black, white and screentone."""
    plain = median_filter(photos.crop(rng, width, height), (rng.choice([3, 3, 5]),) * 2 + (1,))
    crop = Image.fromarray(plain).resize((width * FINE, height * FINE), Image.Resampling.LANCZOS)
    colour = np.asarray(crop, np.float32) / 255
    grey = colour @ np.array([0.299, 0.587, 0.114], np.float32)
    low, high = np.percentile(grey, [2, 98])
    grey = np.clip((grey - low) / max(high - low, 0.05), 0, 1)
    lines = outlines(rng, grey, rng.uniform(0.7, 1.5) * FINE)
    flat = median_filter(gaussian_filter(grey, 2 * FINE), 3 * FINE)
    period = rng.uniform(3.2, 9) * FINE
    style = rng.random()
    if style < 0.3:
        tone = np.ones_like(grey)
    elif style < 0.75:  # a few flat tones, each of its own screen
        levels = np.sort(np.array([rng.uniform(0.1, 0.8) for _ in range(rng.randint(1, 3))], np.float32))
        tone = np.ones_like(grey)
        for i, level in enumerate(levels[::-1]):
            ink = printed(rng, np.full_like(grey, 0.85 - 0.6 * (i + 1) / len(levels)), period * rng.choice([1, 1, 1.3]))
            tone = np.where(flat < level, ink, tone)
        tone = np.where(flat < rng.uniform(0.03, 0.15), 0, tone)
    else:
        tone = printed(rng, np.clip(flat * 1.2 + 0.1, 0, 1), period)
    ink = np.minimum(lines, tone)
    return eight_bits(ink[..., None])


def painted(rng: Random, photos: Photos, width: int, height: int) -> Pixels:
    """Return a photograph as flat areas of colour with outlines, as cel animation has it."""
    crop = photos.crop(rng, width, height)
    small = Image.fromarray(median_filter(crop, (7, 7, 1)))
    few = small.quantize(rng.randint(6, 24), Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette = np.asarray(few.getpalette(), np.float32).reshape(-1, 3) / 255
    palette = (palette / max(float(np.percentile(crop, 98)) / 255, 0.2)) ** rng.uniform(0.6, 1)
    index = np.asarray(few)
    count = int(index.max()) + 1
    masks = np.stack([gaussian_filter((index == i).astype(np.float32), 1.5) for i in range(count)])
    area = np.asarray(
        [Image.fromarray(m).resize((width * FINE, height * FINE), Image.Resampling.BICUBIC) for m in masks]
    )
    flat = palette[:count][area.argmax(0)]
    flat = np.clip((flat - 0.5) * rng.uniform(1, 1.4) + 0.5, 0, 1)
    grey = np.asarray(
        Image.fromarray(crop).convert("L").resize((width * FINE, height * FINE), Image.Resampling.LANCZOS)
    )
    lines = (
        outlines(rng, grey.astype(np.float32) / 255, rng.uniform(0.8, 1.5) * FINE)
        if rng.random() < 0.8
        else np.ones_like(flat[..., 0])
    )
    mix = np.maximum(lines, rng.uniform(0, 0.3))[..., None]
    return eight_bits(flat * mix)


def toned(rng: Random, size: int) -> Pixels:
    """Return screentone that fades from one tone to another."""
    y, x = np.mgrid[: size * FINE, : size * FINE].astype(np.float32) / (size * FINE)
    angle = rng.uniform(0, math.tau)
    ramp = (x - 0.5) * math.cos(angle) + (y - 0.5) * math.sin(angle)
    tone = np.clip(rng.uniform(0.3, 0.8) + rng.choice([0, ramp, 2 * ramp]), 0, 1).astype(np.float32)
    ink = printed(rng, np.broadcast_to(tone, x.shape), rng.uniform(3, 10) * FINE)
    return eight_bits(ink[..., None])
