"""What goes wrong between here and the Hub, in one line with the remedy.

Nothing that the client says is repeated as it is: it may hold an address with a password in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from huggingface_hub import constants, errors, get_token

LOGIN = "HF_TOKEN or `hf auth login`"


@contextmanager
def explained(place: str, raised: type[Exception], *, writing: bool = False) -> Iterator[None]:
    """Raise, for everything that the client raises in the block, what it means for ``place``."""
    try:
        yield
    except errors.HfHubHTTPError as error:
        raise raised(f"{place}: {refusal(error, writing)}") from error
    except errors.OfflineModeIsEnabled as error:
        raise raised(f"{place}: HF_HUB_OFFLINE is set; unset it") from error
    except (errors.HfUriError, errors.HFValidationError) as error:
        raise raised(f"{place}: {' '.join(str(error).split())}") from error
    except httpx2.RequestError as error:
        raise raised(
            f"{place}: the connection to {endpoint()} failed ({error or type(error).__name__}); "
            "check the network and HF_ENDPOINT, and run again"
        ) from error
    except OSError as error:
        raise raised(
            f"{place}: cannot be written ({error.strerror}); make room and run again"
        ) from error
    except (httpx2.InvalidURL, ValueError, KeyError, TypeError, AttributeError) as error:
        raise raised(
            f"{place}: {endpoint()} does not answer as a Hub does ({type(error).__name__}); "
            "check HF_ENDPOINT"
        ) from error


def endpoint() -> str:
    """The Hub's address, without a user and a password."""
    scheme, mark, rest = constants.ENDPOINT.rpartition("://")
    return scheme + mark + rest.rpartition("@")[2]


def refusal(error: errors.HfHubHTTPError, writing: bool) -> str:
    """What an answer that is no success means."""
    status = error.response.status_code
    has_token = get_token() is not None
    if isinstance(error, errors.RevisionNotFoundError):
        return "no such revision in this data set; check what follows the @"
    if isinstance(error, errors.EntryNotFoundError):
        return "no such file in this data set; check the path"
    if isinstance(error, errors.GatedRepoError):
        token = "" if has_token else f", and give your token ({LOGIN})"
        return f"the data set is gated; ask for access on its page{token}"
    if isinstance(error, errors.DisabledRepoError):
        return "the Hub has disabled this data set"
    if status == 401 and "Invalid credentials" in error.response.headers.get("x-error-message", ""):
        return f"the Hub does not accept the token; give a valid one ({LOGIN})"
    if status in (401, 404):
        if has_token:
            may = "write to" if writing else "read"
            return f"no such data set, or a private one that the token may not {may}; check both"
        return f"no such data set, or a private one; check the name, or give a token ({LOGIN})"
    if status == 403:
        may = "write" if writing else "read"
        return f"the token may not {may} this; give it the right, or another one"
    if writing and status in (409, 412):
        return (
            "somebody else changed it in the meantime, and nothing of theirs was touched: look at "
            "it with --dry-run, then push again"
        )
    if status == 429:
        return "too many requests; wait some minutes and run again"
    return f"the Hub answers with status {status}; run again later"
