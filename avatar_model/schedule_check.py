"""Is a noise schedule fit to train with? It should end in noise, and not too early."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from .schedules import Schedule, middles

TOO_NOISY_SHARE = 0.5


class Diagnosis(NamedTuple):
    """What is wrong with a schedule, in numbers; see ``diagnose``."""

    threshold: float  # the log-SNR below which nothing of the image is left
    lost_share: float  # of t in [0, 1], that lies below it
    end_alpha: float  # at t = 1
    end_log_snr: float

    @property
    def too_noisy(self) -> bool:
        """Most time steps hold nothing to learn from."""
        return self.lost_share > TOO_NOISY_SHARE

    @property
    def ends_too_clean(self) -> bool:
        """The noisiest image can be told from the pure noise that samplers start from."""
        return self.end_log_snr > self.threshold


def diagnose(schedule: Schedule, image_size: int = 64) -> Diagnosis:
    """Measure a schedule against the log-SNR below which nothing of an image is left.

    That threshold is ``-log(image_size^2)``, -8.3 for 64 pixels. What survives noise longest is the
    average colour: over N pixels the noise averages down to variance sigma^2 / N, while the average
    of an image keeps alpha times at most 1, for pixels in [-1, 1]. Its signal-to-noise ratio is
    therefore at most N alpha^2 / sigma^2, which falls below 1 where log-SNR = -log N. (The same
    argument makes noise schedules shift with image size: Hoogeboom et al., arXiv 2301.11093,
    section 3.1.) It is what Lin et al. (arXiv 2305.08891, section 3.1) see leak through a last step
    that is not pure noise: Stable Diffusion's log-SNR ends at -5.4, well above the threshold of its
    64 x 64 latents, and it cannot draw very dark or bright images.
    """
    log_snr = schedule.log_snr(middles())
    one = torch.ones(1, dtype=torch.float64)
    threshold = -2 * math.log(image_size)
    return Diagnosis(
        threshold=threshold,
        lost_share=float((log_snr < threshold).double().mean()),
        end_alpha=float(schedule(one)[0]),
        end_log_snr=float(schedule.log_snr(one)),
    )


def schedule_warnings(schedule: Schedule, image_size: int = 64) -> list[str]:
    """What is wrong with a noise schedule: no, one or two sentences.

    Args:
        image_size: side of the images it is used for, in pixels; bigger images stand more noise.
    """
    found = diagnose(schedule, image_size)
    warnings = []
    if found.too_noisy:
        warnings.append(
            f"schedule {schedule.name!r} is too noisy: in {found.lost_share:.0%} of the time steps "
            f"log-SNR is below {found.threshold:.1f}, where not even the average colour of a "
            f"{image_size}x{image_size} image is left; training spends them on pure noise"
        )
    if found.ends_too_clean:
        warnings.append(
            f"schedule {schedule.name!r} does not end in noise: at t = 1 the image is still there "
            f"with alpha = {found.end_alpha:.2g} (log-SNR {found.end_log_snr:.1f}), but sampling "
            "starts from pure noise, which the model then never saw (arXiv 2305.08891)"
        )
    return warnings
