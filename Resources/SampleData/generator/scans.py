"""The images: what five MR sequences would show of the head and the tumour in it.

Each voxel's signal is the mean of its tissues' signals, weighted by their fractions. Tumour tissues replace normal
ones with soft edges. A coil's slow shading, a gain of its own for each series, and Rician noise follow.

ADC is a map and not a weighting: it has no shading. Inside the tumour it falls with cellularity N/theta from that of
free water::

    ADC = ADC_w - (ADC_w - ADC_min) N / theta

with ADC_w = 3000 and ADC_min = 0 in 1e-6 mm2/s.
"""

from __future__ import annotations

import numpy as np
from generator.head import Head
from generator.random_fields import random_stream, smooth_field
from generator.regions import SPACING_MM, Anatomy

# Signals are relative to that of white matter on T1.
WHITE_MATTER_SIGNAL = 120.0  # low, so that noise costs few bytes
SIGNALS = {
    #         white, grey, csf,  oedema, enhancing, necrosis
    "T1CE": (1.00, 0.82, 0.32, 0.72, 1.45, 0.45),
    "T2": (0.60, 0.82, 1.75, 1.40, 1.05, 1.55),
    "FLAIR": (0.85, 1.05, 0.22, 1.75, 1.45, 0.95),
}
T1_WHITE_MATTER = 0.87  # of Head.t1
T1_LESION = (0.72, 0.78, 0.50)  # oedema, enhancing, necrosis, relative to white matter
MODALITIES = ("T1", *SIGNALS)
NOISE_SD = 0.025  # of the white-matter signal: signal-to-noise ratio 40
SHADING_SD, SHADING_CORRELATION_MM = 0.05, 60.0
GAIN_SD = 0.08
PATCHINESS = 0.16  # relative, of tumour and oedema
EDGE_MM = 1.2  # half-width of a tumour edge: partial volume and point spread

ADC_FREE_WATER, ADC_AT_CAPACITY = 3000.0, 0.0  # 1e-6 mm2/s
ADC_WHITE, ADC_GREY = 720.0, 830.0
ADC_NOISE = 0.05  # relative
# The map holds a little beyond the outlined tumour, so that an outline a millimetre off still reads tumour.
ADC_TUMOUR_FROM, ADC_TUMOUR_TO = 0.03, 0.09  # cellularity


def _inside(distance_mm: np.ndarray) -> np.ndarray:
    """1 inside, 0 outside, soft over the edge."""
    return 1 / (1 + np.exp(-np.clip(2 * distance_mm / EDGE_MM, -40, 40)))


def weighted_image(head: Head, truth: Anatomy, modality: str, visit: int) -> np.ndarray:
    """(ni, nj, nk) int16, one of ``MODALITIES`` at one visit."""
    rng = random_stream(5, visit, MODALITIES.index(modality))
    shape = head.brain.shape
    whole, core, necrosis = (_inside(d) for d in (truth.whole_tumour, truth.core, truth.necrosis))
    if modality == "T1":
        normal = head.t1 / T1_WHITE_MATTER
        oedema, enhancing, necrotic = T1_LESION
    else:
        white, grey, csf, oedema, enhancing, necrotic = SIGNALS[modality]
        normal = white * head.white_matter + grey * head.grey_matter + csf * head.csf
    # water gathers between the fibres of white matter and spares the cortex; fluid-filled folds stay what they are
    wet = whole * (0.25 * head.grey_matter + head.white_matter)
    solid = core * (1 - head.csf)
    patchy = 1 + PATCHINESS * np.clip(smooth_field(random_stream(6), shape, 4.0, SPACING_MM), -2, 2)
    lesion = (1 - necrosis) * enhancing * patchy + necrosis * necrotic * (2 - patchy)
    signal = normal + wet * (oedema * patchy - normal)
    signal = signal + solid * (lesion - signal)

    shading = np.exp(SHADING_SD * smooth_field(rng, shape, SHADING_CORRELATION_MM, SPACING_MM))
    gain = np.exp(GAIN_SD * rng.standard_normal())
    real, imaginary = NOISE_SD * rng.standard_normal((2, *shape))
    magnitude = np.hypot(signal * shading + real, imaginary)
    return np.round(WHITE_MATTER_SIGNAL * gain * magnitude * head.brain).astype(np.int16)


def adc_map(head: Head, cellularity: np.ndarray, visit: int) -> np.ndarray:
    """(ni, nj, nk) int16, apparent diffusion coefficient in 1e-6 mm2/s at one visit."""
    rng = random_stream(5, visit, len(MODALITIES))
    normal = ADC_WHITE * head.white_matter + ADC_GREY * head.grey_matter + ADC_FREE_WATER * head.csf
    tumour = ADC_FREE_WATER - (ADC_FREE_WATER - ADC_AT_CAPACITY) * cellularity
    ramp = np.clip((cellularity - ADC_TUMOUR_FROM) / (ADC_TUMOUR_TO - ADC_TUMOUR_FROM), 0, 1)
    share = ramp * ramp * (3 - 2 * ramp)
    adc = normal + share * (tumour - normal)
    adc = adc * (1 + ADC_NOISE * rng.standard_normal(adc.shape))
    return np.round(np.clip(adc, 0, None) * head.brain).astype(np.int16)
