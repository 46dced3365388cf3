"""The README.md of a classifier's folder: what it is and what was measured."""

from __future__ import annotations

import numpy as np

from avatar_model.classifier import AvatarClassifier

CARD = """---
{licence}tags:
- cartoon
- image-classification
---

# Avatar attribute classifier

Reads the 18 attributes of Cartoon Set from an avatar of {size} x {size} pixels, which show the
centre {crop} x {crop} of a 500 x 500 picture: a plain residual network with {parameters:,}
parameters, trained on {train_images:,} images of {data} for {minutes} minutes. It shares nothing
with the network that draws avatars and has never seen a drawn one, so it can judge them;
`python -m train.evaluate` does.

```python
from avatar_model.classifier import AvatarClassifier

classifier = AvatarClassifier.from_pretrained("path/to/this/folder")
reading = classifier(pixels)  # uint8 [N, {size}, {size}, 4], premultiplied RGBA
reading = classifier(classifier.view(others, crop))  # larger ones, of a crop of {crop} or more
reading.values, reading.probabilities  # [N, 18] and [N, 217]
```

## Measured

On images whose combination of attributes was not trained on, where the attribute is visible.
Validation ({validation_images} images) also chose the temperatures and the table of what hides
what; test ({test_images} images) chose nothing. The mean over attributes is
{mean_validation:.4f} and {mean_test}.

| attribute | validation | test | cannot be seen under |
|---|---|---|---|
{rows}

How sure it is, over all attributes of the test images. Expected calibration error: {error_visible}
where visible, {error_hidden} where hidden, where it answers with the frequencies of the data.

| readings | mean confidence | accuracy |
|---|---|---|
{reliability}

## Limits

It knows flat cartoon faces in the place and size of its data, and small details only there: moved
by a pixel, brows are read much worse. For any other picture the answer means nothing, however sure
it looks. Of a hidden attribute it can only say what is common.

## Licence of the data

{credit}
"""


def card(classifier: AvatarClassifier, table: list[tuple[int, float, float]]) -> str:
    """The text of the folder's README.md: what this is and what was measured."""
    facts = classifier.training
    cartoon_set = "cartoonset" in facts["data"].lower()
    test = facts.get("test_accuracy", {})
    lines = [
        f"| {name} | {value:.3f} | {_number(test.get(name), 3)} | {_covers(classifier, name)} |"
        for name, value in classifier.accuracy.items()
    ]
    return CARD.format(
        licence="license: cc-by-4.0\n" if cartoon_set else "",
        size=classifier.image_size,
        crop=classifier.crop,
        parameters=sum(p.numel() for p in classifier.network.parameters()),
        **{k: facts[k] for k in ("train_images", "validation_images", "test_images", "minutes")},
        data=facts["data"].replace("|", " "),
        mean_validation=np.mean(list(classifier.accuracy.values())),
        mean_test=_number(np.mean(list(test.values())) if test else None, 4),
        rows="\n".join(lines),
        error_hidden=_number(facts.get("test_calibration_error_hidden"), 4),
        error_visible=_number(facts.get("test_calibration_error_visible"), 4),
        reliability="\n".join(f"| {n:,} | {sure:.3f} | {share:.3f} |" for n, sure, share in table),
        credit="Trained on [Cartoon Set](https://google.github.io/cartoonset/), © Google LLC, "
        "licensed under\n[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/)."
        if cartoon_set
        else "The licence of the data is for its owner to say.",
    )


def _number(value: float | None, digits: int) -> str:
    return "not measured" if value is None else f"{value:.{digits}f}"


def _covers(classifier: AvatarClassifier, name: str) -> str:
    others = classifier.hidden.get(name, {})
    return "; ".join(f"{other} {', '.join(map(str, v))}" for other, v in others.items())
