"""Publishes checkpoints as a model repository of the Hugging Face Hub, while training goes on.

    python -m train.hub --checkpoint runs/mine/checkpoints/step-00009000 --repo user/name

Log in first: ``hf auth login``, or put a token with write access into HF_TOKEN.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro
from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HFValidationError, OfflineModeIsEnabled
from huggingface_hub.utils import disable_progress_bars, get_session, validate_repo_id

from avatar_model import AvatarPipeline, CheckpointError
from avatar_model.checkpoint import CONFIG_FILE, WEIGHTS_FILE

from .model_card import CARD_FILE, SAMPLES_FILE, write_model_card

FILES = (CONFIG_FILE, WEIGHTS_FILE, CARD_FILE, SAMPLES_FILE)
"""What of a checkpoint folder goes to the Hub; ``state.pt`` is for resuming only."""

DELAYS = (2.0, 8.0, 30.0, 120.0)
"""Seconds before each new attempt. The client itself never repeats some of its requests."""

SILENCE_SECONDS = 60.0
"""A connection on which nothing happens for so long is given up; the client would wait forever."""

_LOG_IN = "log in with `hf auth login`, or set HF_TOKEN to a token with write access"
_ADVICE = {
    401: _LOG_IN,
    403: "this login may not write there: check the name, or "
    "make a token with write access at https://huggingface.co/settings/tokens",
    404: "check the name; the repository may have been deleted, or be invisible to this login",
    409: "something else was changing the repository; it may work now",
    412: "somebody else committed at the same moment; it may work now",
    429: "too many uploads in a short time; make checkpoints less often",
}
_TEMPORARY = frozenset({408, 409, 412, 425, 429})
_TOKENS = re.compile(r"Bearer\s+[^\s'\"]+|\bhf_\w{16,}", re.IGNORECASE)
_SIGNATURES = re.compile(r"(https?://[^\s?'\"]+)\?[^\s'\"]+")


class HubError(Exception):
    """An upload that did not happen; the message says why and what to do, and holds no token.

    Attributes:
        temporary: whether the same upload may work later.
    """

    def __init__(self, message: str, temporary: bool = False) -> None:
        super().__init__(message)
        self.temporary = temporary


def check_target(repo_id: str) -> None:
    """Find out without the network what would make every upload fail.

    Raises:
        HubError: ``repo_id`` is not like "user/name", or there is no usable token.
    """
    try:
        validate_repo_id(repo_id)
        good = repo_id.count("/") == 1
    except HFValidationError:
        good = False
    if not good:
        raise HubError(
            f"{_scrub(repr(repo_id))} is not a repository of the Hub: it has to be like user/name, "
            "of letters, digits and single '-', '_' or '.' inside"
        )
    _token()


def upload(
    folder: Path,
    repo_id: str,
    message: str,
    *,
    private: bool | None = None,
    endpoint: str | None = None,
) -> str:
    """Upload ``FILES`` of a checkpoint folder as one commit, the repository made if need be.

    Files that are there already are not sent again; with nothing new there is no commit.

    Args:
        message: of the commit.
        private: of a new repository; by default what its owner has set.
        endpoint: address of the Hub; by default what ``huggingface_hub`` uses (``HF_ENDPOINT``).

    Returns:
        The URL of the newest commit.

    Raises:
        HubError: it did not work, this time or for good.
    """
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if not (folder / name).is_file():
            raise HubError(f"there is no {folder / name}; is this a checkpoint folder?")
    token = _token()
    api = HfApi(endpoint=endpoint, token=token)
    try:
        get_session().timeout = SILENCE_SECONDS
        api.create_repo(repo_id, private=private, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo_id, folder_path=folder, commit_message=message, allow_patterns=[*FILES]
        )
    except Exception as error:  # OSError, RuntimeError, ValueError, httpx's and Xet's own
        # "from None": a traceback must not show the original, which may quote the token.
        raise _explained(error, token) from None
    return str(commit.commit_url)


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
        private, endpoint: see ``upload``.
        report: is told how each upload ended, in that thread.
        delays: seconds before each repetition.
        progress: leave the client's progress bars on; they garble a terminal that others write to.

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
        progress: bool = False,
    ) -> None:
        check_target(repo_id)
        if not progress:
            disable_progress_bars()
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
            job = _Job(folder, _stage(folder), message)
        except OSError as error:
            self._failed(folder, f"its files cannot be kept for the upload: {error}")
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
            self._failed(left[-1].folder, f"the upload was not done after {timeout_s:.0f} s")
        return self._problem

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if self._abandoned or not self._waiting:
                    return
                self._running, self._waiting = self._waiting, None
            job = self._running
            self._upload(job)
            with self._changed:
                self._running = None
            shutil.rmtree(job.staged, ignore_errors=True)

    def _upload(self, job: _Job) -> None:
        for delay in (*self.delays, None):
            try:
                url = upload(
                    job.staged,
                    self.repo_id,
                    job.message,
                    private=self.private,
                    endpoint=self.endpoint,
                )
            except HubError as error:
                problem = error
            else:
                self._problem = None
                self.report(f"uploaded {job.folder.name}: {url}")
                return
            if delay is None or not problem.temporary:
                break
            with self._changed:
                if self._changed.wait_for(lambda: self._waiting or self._abandoned, delay):
                    break
        if not self._abandoned:
            self._failed(job.folder, str(problem))

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
        source = folder / name
        if not source.exists():
            continue
        try:
            (staged / name).hardlink_to(source)
        except OSError:  # a file system without hard links
            shutil.copy2(source, staged / name)
    return staged


def _token() -> str:
    try:
        token = get_token()
    except Exception as error:  # of a login that has to be renewed over the network
        raise HubError(f"no Hugging Face token: {_reason(error, '')}", temporary=True) from None
    if not token:
        raise HubError(f"there is no Hugging Face token: {_LOG_IN}")
    if not re.fullmatch(r"[!-~]+", token):  # httpx would quote it in its error
        raise HubError(f"the Hugging Face token has characters that no token has: {_LOG_IN}")
    return token


def _explained(error: BaseException, token: str) -> HubError:
    """What went wrong and what to do, in one sentence."""
    while not hasattr(error, "response") and error.__cause__:
        error = error.__cause__  # the client wraps the failure of a file in a RuntimeError
    reason = _reason(error, token)
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        temporary = status in _TEMPORARY or status >= 500
        advice = _ADVICE.get(
            status, "the Hub is out of order; try again later" if temporary else ""
        )
        reason = f"the Hub answered {status} ({reason})"
    elif isinstance(error, OfflineModeIsEnabled):
        temporary, advice = False, "unset HF_HUB_OFFLINE"
    elif isinstance(error, OSError) and error.filename:
        temporary, advice = False, "check the folder"
    elif isinstance(error, ValueError) and not isinstance(error, json.JSONDecodeError):
        temporary, advice = False, ""
    else:
        temporary, advice = True, "the Hub cannot be reached; check the network and try again"
    return HubError(f"{reason}; {advice}" if advice else reason, temporary)


def _reason(error: BaseException, token: str) -> str:
    """The first line of what an error says, as short and harmless as it can be."""
    text = getattr(error, "server_message", None) or str(error).strip() or type(error).__name__
    return _scrub(text, token).partition("\n")[0][:200].rstrip(". ")


def _scrub(text: str, token: str = "") -> str:
    """``text`` without tokens and signed URLs: errors quote headers, and servers what they got."""
    text = text.replace(token, "<token>") if token else text
    return _SIGNATURES.sub(r"\1", _TOKENS.sub("<token>", text))


def main(checkpoint: Path, repo: str, private: bool = False) -> None:
    """Upload one checkpoint folder; what the repository has already is not sent again.

    Args:
        checkpoint: the folder; without a model card in it, one is written.
        repo: model repository, user/name; made if need be.
        private: make a new repository private.
    """
    uploader = HubUploader(repo, private or None, progress=True)
    if not (checkpoint / CARD_FILE).exists():
        write_model_card(checkpoint, AvatarPipeline.from_pretrained(checkpoint), None, repo)
    started = time.monotonic()
    uploader.submit(checkpoint, f"Upload {checkpoint.resolve().name}")
    if uploader.close(None):
        sys.exit(1)
    print(f"{time.monotonic() - started:.0f} s; AvatarPipeline.from_pretrained({repo!r}) works now")


if __name__ == "__main__":
    try:
        tyro.cli(main, description=__doc__)
    except (CheckpointError, HubError) as error:
        sys.exit(f"error: {error}")
