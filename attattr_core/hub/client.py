"""Small requests to the Hub, answered within a deadline, and what its errors mean to a person."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, TypeVar
from urllib.parse import quote

from huggingface_hub import DatasetInfo, HfApi, ModelInfo, constants
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    HTTPError,  # the root of the errors of whichever httpx huggingface_hub stands on
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

from attattr_core.errors import UserError

PATIENCE = 5.0  # seconds for everything that is asked before a download
MAX_CONFIG_BYTES = 1 << 20
_N_TRIES, _PAUSE = 3, 0.3
_HIDDEN = "if it is private, put a token that may read it into HF_TOKEN"
_NOUNS = {"model": "model", "dataset": "data set"}
Result = TypeVar("Result")


class HubUnavailableError(Exception):
    """The Hub gives no answer now; the message continues "The Hub …". A copy in the cache may do instead."""


@dataclass(frozen=True)
class Deadline:
    """A moment by which all of several requests have to be done."""

    moment: float = field(default_factory=lambda: time.monotonic() + PATIENCE)

    @property
    def remaining(self) -> float:
        """Seconds left, at least a little, so that a request can be given them."""
        return max(self.moment - time.monotonic(), 0.01)


def fetch_info(
    name: str, revision: str | None, deadline: Deadline, repo_type: str = "model"
) -> ModelInfo | DatasetInfo:
    """Asks for a repository's metadata with the sizes and digests of its files.

    Raises:
        HubUnavailableError: When there is no answer in time.
        UserError: When the Hub says no.
    """
    api = HfApi(endpoint=constants.ENDPOINT)
    ask = api.dataset_info if repo_type == "dataset" else api.model_info
    return _ask(
        lambda: ask(name, revision=revision, files_metadata=True, timeout=deadline.remaining),
        name,
        revision,
        deadline,
        repo_type,
    )


def fetch_bytes(name: str, revision: str, file_name: str, deadline: Deadline, repo_type: str = "model") -> bytes:
    """Fetches a small file into memory, so that nothing of a model that is then refused is kept.

    Raises:
        HubUnavailableError: When there is no answer in time.
        UserError: When the Hub says no, or the file is longer than 1 MiB.
    """
    address = build_address(name, revision, file_name, repo_type)
    return _ask(lambda: _read_small(address, name, file_name, deadline), name, revision, deadline, repo_type)


def _read_small(address: str, name: str, file_name: str, deadline: Deadline) -> bytes:
    content, headers = b"", build_headers()
    with get_session().stream("GET", address, headers=headers, timeout=deadline.remaining) as response:
        hf_raise_for_status(response)
        for chunk in response.iter_bytes():
            content += chunk
            if len(content) > MAX_CONFIG_BYTES:
                raise UserError(f"{file_name} of {name!r} is longer than 1 MiB: is this a checkpoint?")
    return content


def build_address(name: str, revision: str, file_name: str, repo_type: str = "model") -> str:
    """Builds a file's address; huggingface_hub's own function keeps the endpoint that was set when it was imported."""
    return f"{build_page(name, repo_type)}/resolve/{quote(revision, safe='')}/{quote(file_name)}"


def build_page(name: str, repo_type: str = "model") -> str:
    """Builds the address of a repository's page."""
    return f"{constants.ENDPOINT}/{constants.REPO_TYPES_URL_PREFIXES.get(repo_type, '')}{name}"


def build_headers() -> dict[str, str]:
    """Builds huggingface_hub's headers, with the token if there is one; uncompressed, so that bytes can be counted."""
    return {**build_hf_headers(), "Accept-Encoding": "identity"}


def _ask(
    call: Callable[[], Result], name: str, revision: str | None, deadline: Deadline, repo_type: str = "model"
) -> Result:
    """Asks again after an error of the server, as long as there is time."""
    for attempt in range(_N_TRIES):
        try:
            return _run_within(call, deadline.remaining)
        except HfHubHTTPError as error:
            pause = _PAUSE * 2**attempt
            if error.response.status_code < 500 or attempt == _N_TRIES - 1 or deadline.remaining < pause:
                raise explain(error, name, revision, repo_type) from error
            time.sleep(pause)
        except Exception as error:
            raise explain(error, name, revision, repo_type) from error
    raise AssertionError("the last try returns or raises")


def _run_within(call: Callable[[], Result], seconds: float) -> Result:
    """Runs a call in a thread of its own: looking a host up, or a byte now and then, escape the client's timeouts."""
    answers: SimpleQueue[tuple[bool, Any]] = SimpleQueue()

    def work() -> None:
        try:
            answers.put((True, call()))
        except BaseException as error:
            answers.put((False, error))

    threading.Thread(target=work, daemon=True, name="hub-request").start()
    try:
        is_answer, result = answers.get(timeout=seconds)
    except Empty:
        raise TimeoutError from None
    if not is_answer:
        raise result
    return result


def explain(error: Exception, name: str, revision: str | None, repo_type: str = "model") -> Exception:
    """Turns what huggingface_hub raised into one sentence, or into `HubUnavailableError` where the cache may help."""
    page, noun = build_page(name, repo_type), _NOUNS[repo_type]
    match error:
        case UserError():
            return error
        case GatedRepoError():
            return UserError(
                f"{name!r} is gated: accept its terms at {page}, then put a token of that account into HF_TOKEN."
            )
        case DisabledRepoError():
            return refuse_disabled(name, repo_type)
        case RevisionNotFoundError():
            return UserError(f"{name!r} has no revision {revision!r}: see {page}/commits for those there are.")
        case RepositoryNotFoundError():
            return UserError(f"There is no {noun} {name!r} on the Hub: check the spelling; {_HIDDEN}.")
        case HfHubHTTPError():
            return _explain_status(error, name, noun)
        case OfflineModeIsEnabled():
            return HubUnavailableError("is not asked because HF_HUB_OFFLINE is set")
        case UnicodeEncodeError():  # headers take ASCII only, and nothing else in them is from outside
            return UserError("HF_TOKEN has letters that no token has: copy it anew, or unset it for public models.")
        case HTTPError() | OSError():
            return HubUnavailableError("cannot be reached")
    return UserError(f"The Hub's answer about {name!r} cannot be understood ({type(error).__name__}): try again later.")


def refuse_disabled(name: str, repo_type: str = "model") -> UserError:
    """The sentence for what the Hub has taken down."""
    return UserError(f"The Hub has disabled {name!r}: choose another {_NOUNS[repo_type]}.")


def _explain_status(error: HfHubHTTPError, name: str, noun: str) -> Exception:
    response = error.response
    status = response.status_code
    if status == 401 and "credentials" in (response.headers.get("X-Error-Message") or ""):
        return UserError("The Hub does not accept the token in HF_TOKEN: renew it, or unset it for public models.")
    if status in (401, 404):
        return UserError(f"There is no {noun} {name!r} on the Hub: check the spelling; {_HIDDEN}.")
    if status == 403:
        return UserError(f"The Hub does not let you read {name!r}: {_HIDDEN}.")
    if status == 429:
        seconds = response.headers.get("Retry-After", "")
        wait = f"; in {int(seconds)} seconds it answers again" if seconds.isdigit() and len(seconds) < 6 else ""
        return HubUnavailableError(f"refuses more requests for now (429{wait})")
    if status >= 500:
        return HubUnavailableError(f"has an error of its own ({status})")
    return UserError(f"The Hub refuses {name!r} with the status {status}: try again later.")


def parse_json(content: bytes, name: str, file_name: str) -> dict[str, Any]:
    """Reads a configuration file of a repository, which is not trusted.

    Raises:
        UserError: When it is not a JSON object.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UserError(f"{file_name} of {name!r} is not a JSON object: is this a checkpoint?")
    return found
