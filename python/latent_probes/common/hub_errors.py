"""Errors of the Hub, each as one line with a remedy.

The client's messages are not repeated verbatim: they can contain an address with a password.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from huggingface_hub import constants, errors, get_token

from latent_probes.common import connections

LOGIN = "HF_TOKEN or `hf auth login`"


@contextmanager
def explained(
    place: str, raised: type[Exception], *, writing: bool = False, noun: str = "data set"
) -> Iterator[None]:
    """Translate every error of the Hub client in the block to ``raised``, about ``place``.

    ``noun`` is what the place is.
    """
    try:
        # Without them, the client's own error would be that of a file.
        connections.certificates()
        yield
    except errors.HfHubHTTPError as error:
        raise raised(f"{place}: {refusal(error, writing, noun)}") from error
    except errors.OfflineModeIsEnabled as error:
        raise raised(f"{place}: HF_HUB_OFFLINE is set; unset it") from error
    except (errors.HfUriError, errors.HFValidationError) as error:
        raise raised(f"{place}: {' '.join(str(error).split())}") from error
    except httpx2.RequestError as error:
        raise raised(
            f"{place}: the connection to {endpoint()} failed ({error or type(error).__name__}); "
            "check the network and HF_ENDPOINT, and run again"
        ) from error
    except connections.AddressError as error:
        raise raised(f"{place}: {error}") from error
    except connections.ResponseLimitError as error:
        raise raised(f"{place}: {error}; check HF_ENDPOINT, or run again later") from error
    except OSError as error:
        raise raised(
            f"cannot write {place} ({error.strerror}); free some disk space and run again"
        ) from error
    except (
        *(httpx2.InvalidURL, ValueError, KeyError, TypeError, AttributeError),
        *(OverflowError, RecursionError),
    ) as error:
        raise raised(
            f"{place}: {endpoint()} does not look like a Hugging Face Hub endpoint "
            f"({type(error).__name__}); check HF_ENDPOINT"
        ) from error


def endpoint() -> str:
    """The Hub's address, without user and password."""
    scheme, mark, rest = constants.ENDPOINT.rpartition("://")
    return scheme + mark + rest.rpartition("@")[2]


def refusal(error: errors.HfHubHTTPError, writing: bool, noun: str) -> str:
    """Explain a response that is not a success."""
    status = error.response.status_code
    has_token = get_token() is not None
    if isinstance(error, errors.RevisionNotFoundError):
        return f"no such revision in this {noun}; check what follows the @"
    if isinstance(error, errors.EntryNotFoundError):
        return f"no such file in this {noun}; check the path"
    if isinstance(error, errors.GatedRepoError):
        token = "" if has_token else f", and give your token ({LOGIN})"
        return f"the {noun} is gated; request access on its page{token}"
    if isinstance(error, errors.DisabledRepoError):
        return f"the Hub has disabled this {noun}"
    if status == 401 and "Invalid credentials" in error.response.headers.get("x-error-message", ""):
        return f"the Hub does not accept the token; give a valid one ({LOGIN})"
    if status in (401, 404):
        if has_token:
            may = "write to" if writing else "read"
            return f"no such {noun}, or a private one that the token cannot {may}; check both"
        return f"no such {noun}, or it is private; check the name, or give a token ({LOGIN})"
    if status == 403:
        may = "write" if writing else "read"
        return f"the token has no permission to {may} this; grant it, or use another token"
    if writing and status in (409, 412):
        return (
            "another user changed it in the meantime, and nothing of theirs was touched: review "
            "it with --dry-run, then push again"
        )
    if status == 429:
        return "too many requests; wait a few minutes and run again"
    return f"the Hub returned status {status}; run again later"
