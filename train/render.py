"""Draw a synthetic data set, in the file layout of Cartoon Set.

    python -m train.render --count 1000000 --out ~/avatars
    python -m train.render --count 20000 --out ~/bald --fix hair=0 --fix glasses=none
    accelerate launch --multi_gpu --num_processes 8 -m train.render --count 1000000 --out ~/avatars

Picture i is that of seed + i, whatever the number of processes. Stop it at any time, start the same
command again and it goes on; with a larger --count the set is continued. Read it with
``train/run.py --data ~/avatars``. docs/deploy.md has the rest.
"""

from __future__ import annotations

from train.command import command
from train.rendering.data_set import render_data_set

cli = command(render_data_set, __doc__)

if __name__ == "__main__":
    cli()
