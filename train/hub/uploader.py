"""Uploads checkpoints from a thread of its own, while training goes on."""

from __future__ import annotations

import shlex
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from huggingface_hub import HfApi
from huggingface_hub.utils import disable_progress_bars, get_session

from train.hub.errors import HubError
from train.hub.retry import DELAYS, insist
from train.hub.target import check_target
from train.hub.upload import FILES, check_folder, upload


class _Job(NamedTuple):
    folder: Path
    staged: Path
    message: str


class HubUploader:
    """Uploads the newest checkpoint; training never waits for it or fails.

    A checkpoint that is ready while another is being uploaded waits, and is replaced by a newer
    one. An upload that fails is repeated, and given up for a newer checkpoint.

    Args:
        repo_id: "user/name".
        report: is told how each upload ended, mostly from that thread.
        delays: see ``retry.insist``.

    Raises:
        HubError: what ``check_target`` finds.
    """

    def __init__(
        self,
        repo_id: str,
        report: Callable[[str], object] = print,
        delays: Sequence[float] = DELAYS,
    ) -> None:
        check_target(repo_id)
        disable_progress_bars()  # training has its own on the same terminal
        self.repo_id, self.report, self.delays = repo_id, report, delays
        self._changed = threading.Condition()
        self._waiting: _Job | None = None
        self._running: _Job | None = None
        self._closing = self._abandoned = False
        self._problem: str | None = None
        # A daemon, so that a hanging upload cannot keep the process alive.
        self._thread = threading.Thread(target=self._work, name="hub-upload", daemon=True)
        self._thread.start()

    def submit(self, folder: Path, message: str) -> None:
        """Have a checkpoint uploaded. Returns at once; ``folder`` may be deleted afterwards."""
        try:
            check_folder(folder)
            job = _Job(folder, _stage(folder), message)
        except (HubError, OSError) as error:
            self._failed(folder, str(error))
            return
        with self._changed:
            replaced, self._waiting = self._waiting, job
            self._changed.notify_all()
        if replaced:
            shutil.rmtree(replaced.staged, ignore_errors=True)

    def close(self, timeout_s: float | None = 300.0) -> str | None:
        """Wait until the last checkpoint is uploaded or given up, for ``timeout_s`` at most.

        Returns:
            None if the last checkpoint is on the Hub, else what went wrong and what to do.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        with self._changed:
            self._abandoned = True
            self._changed.notify_all()
            left = [job for job in (self._running, self._waiting) if job]
        for job in left:
            shutil.rmtree(job.staged, ignore_errors=True)
        if left:
            # The client's own threads, unlike ours, are waited for when the process ends.
            get_session().timeout = 1.0
            self._failed(left[-1].folder, "the upload was not done in time")
        return self._problem

    def _work(self) -> None:
        while True:
            with self._changed:
                self._running = None
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if self._abandoned or not self._waiting:
                    return
                job = self._running = self._waiting
                self._waiting = None
            self._upload(job)
            shutil.rmtree(job.staged, ignore_errors=True)

    def _upload(self, job: _Job) -> None:
        def send(api: HfApi) -> str:
            return upload(api, job.staged, self.repo_id, job.message)

        try:
            url = insist(send, self.delays, self._overtaken)
        except HubError as error:
            if not self._abandoned:
                self._failed(job.folder, str(error))
        else:
            self._problem = None
            self.report(f"uploaded {job.folder.name}: {url}")

    def _overtaken(self, seconds: float) -> bool:
        """Wait; whether something more important than another attempt came up meanwhile."""
        with self._changed:
            return bool(self._changed.wait_for(lambda: self._waiting or self._abandoned, seconds))

    def _failed(self, folder: Path, reason: str) -> None:
        command = [
            sys.executable or "python",
            "-m",
            "train.hub",
            "--checkpoint",
            str(folder.resolve()),
        ]
        self._problem = (
            f"{folder.name} was not uploaded to {self.repo_id}: {reason}. "
            f"To upload it by hand: {shlex.join([*command, '--repo', self.repo_id])}"
        )
        self.report(self._problem)


def _stage(folder: Path) -> Path:
    """Hard links to what is to be uploaded: the run folder drops old checkpoints meanwhile."""
    # A run folder removes *.tmp at its next start, should this process be killed.
    staged = Path(tempfile.mkdtemp(prefix="hub-", suffix=".tmp", dir=folder.parent))
    for name in FILES:
        if (folder / name).exists():
            (staged / name).parent.mkdir(exist_ok=True)
            try:
                (staged / name).hardlink_to(folder / name)
            except OSError:  # a file system without hard links
                shutil.copy2(folder / name, staged / name)
    return staged
