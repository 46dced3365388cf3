"""Publishes checkpoints as a model repository of the Hugging Face Hub, while training goes on."""

from __future__ import annotations

import shlex
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.utils import disable_progress_bars, get_session

from avatar_model.checkpoint import CONFIG_FILE, UPSCALER_FOLDER, WEIGHTS_FILE
from avatar_model.checkpoint import FILES as CHECKPOINT_FILES
from train.hub.client import DELAYS, check_target, insist
from train.hub.errors import HubError
from train.hub.model_card import CARD_FILE, SAMPLES_FILE

FILES = (*CHECKPOINT_FILES, CARD_FILE, SAMPLES_FILE)
"""What of a checkpoint folder goes to the Hub; ``state.pt`` is for resuming only."""


def upload(
    folder: Path,
    repo_id: str,
    message: str,
    *,
    private: bool | None = None,
    endpoint: str | None = None,
    delays: Sequence[float] = DELAYS,
    wait: Callable[[float], object] = time.sleep,
) -> str:
    """Upload ``FILES`` of a checkpoint folder as one commit, the repository made if need be.

    Files that are there already are not sent again; with nothing new there is no commit.

    Args:
        message: of the commit.
        private: of a new repository; by default what its owner has set.
        endpoint: address of the Hub; by default what ``huggingface_hub`` uses (``HF_ENDPOINT``).
        delays: seconds before each repetition of an upload that may work later.
        wait: called with those seconds; what is true ends the repetitions.

    Returns:
        The URL of the newest commit.

    Raises:
        HubError: it did not work.
    """
    check_folder(folder)

    def send(api: HfApi) -> str:
        api.create_repo(repo_id, private=private, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo_id,
            folder_path=folder,
            commit_message=message,
            allow_patterns=[*FILES],
            # Or the upscaler of an earlier model would stay.
            delete_patterns=None if (folder / UPSCALER_FOLDER).is_dir() else f"{UPSCALER_FOLDER}/*",
        )
        return str(commit.commit_url)

    return insist(send, endpoint, delays, wait)


@dataclass
class _Job:
    folder: Path
    staged: Path
    message: str


class HubUploader:
    """Uploads the newest checkpoint from a thread of its own; training never waits for it or fails.

    A checkpoint that is ready while another is being uploaded waits, and is replaced by a newer
    one. An upload that fails is repeated, and given up for a newer checkpoint.

    Args:
        repo_id: "user/name".
        private, endpoint, delays: see ``upload``.
        report: is told how each upload ended, mostly from that thread.

    Raises:
        HubError: what ``check_target`` finds.
    """

    def __init__(
        self,
        repo_id: str,
        private: bool | None = None,
        endpoint: str | None = None,
        report: Callable[[str], None] = print,
        delays: Sequence[float] = DELAYS,
    ) -> None:
        check_target(repo_id)
        disable_progress_bars()  # training has its own on the same terminal
        self.repo_id, self.private, self.endpoint = repo_id, private, endpoint
        self.report, self.delays = report, delays
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
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if self._abandoned or not self._waiting:
                    return
                self._running, self._waiting = self._waiting, None
            self._upload(self._running)
            shutil.rmtree(self._running.staged, ignore_errors=True)
            with self._changed:
                self._running = None

    def _upload(self, job: _Job) -> None:
        options = {"private": self.private, "endpoint": self.endpoint, "delays": self.delays}
        try:
            url = upload(job.staged, self.repo_id, job.message, wait=self._overtaken, **options)
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
        command = ["python", "-m", "train.hub", "--checkpoint", str(folder.resolve())]
        command += ["--repo", self.repo_id, *(["--private"] if self.private else [])]
        self._problem = (
            f"{folder.name} was not uploaded to {self.repo_id}: {reason}. "
            f"To upload it by hand: {shlex.join(command)}"
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


def check_folder(folder: Path) -> None:
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if not (folder / name).is_file():
            raise HubError(f"there is no {folder / name}; is this a checkpoint folder?")
