"""Push an export to a data set or a Space on the Hub, in one commit, never over an unseen revision.

``ready`` checks whether the export can be published, ``space`` adds what a Space needs, ``leaks``
searches it for keys and local paths, ``plan`` compares it with the Hub, ``seen`` records which
revisions were reviewed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.utils import disable_progress_bars, logging

from latent_probes.common import terminal
from latent_probes.common.home import Home
from latent_probes.common.hub_errors import explained
from latent_probes.pushing import leaks, plan, ready, seen, space
from latent_probes.pushing.places import Place
from latent_probes.pushing.ready import PushError

__all__ = ["Place", "PushError", "push"]


def push(
    home: Home, place: Place, *, dry_run: bool, allow_baseline: bool, is_public: bool = False
) -> None:
    """Update a data set or a Space to match the export, or show what would change.

    Raises PushError with a remedy, leaving the place unchanged, if the export must not be
    published, the place is at a revision that was not reviewed, or the Hub refuses.
    """
    # Retries of the client would be logged as warnings.
    logging.set_verbosity_error()
    if not terminal.console.is_terminal:
        disable_progress_bars()
    export = ready.checked(home, allow_baseline)
    with space.of(export) if place.kind == "space" else nullcontext(export) as published:
        leaks.refuse(home, published)
        update(home, place, published, dry_run=dry_run, is_public=is_public)


def update(
    home: Home, place: Place, export: ready.Export, *, dry_run: bool, is_public: bool
) -> None:
    """Update a place to have these files, or show what would change."""
    api = HfApi()
    with hub_errors(place):
        head = plan.head(api, place)
        there = plan.listed(api, place, head) if head else {}
        changes = plan.changes(place, head, there, export)
    plan.show(place, head, changes, export)
    if head is not None and not changes:
        seen.remember(home, place, head)
        terminal.say(f"{place.name} is up to date: nothing to upload")
        return
    if dry_run:
        if head is not None:
            seen.remember(home, place, head)
        terminal.say("dry run: nothing was uploaded")
        return
    if head is None:
        head = create(api, place, is_public)
    # A push that was killed after it created the place leaves it empty.
    elif not plan.is_empty(place, there) and not seen.is_known(home, place, head):
        raise PushError(
            f"{place.name} is at commit {head[:12]}, which you have not reviewed: run with "
            "--dry-run first, then push"
        )
    commit(home, api, place, head, changes, export)


@contextmanager
def hub_errors(place: Place) -> Iterator[None]:
    """Raise errors of the Hub's client in the block as PushError about the place."""
    with explained(place.name, PushError, writing=True, noun=place.noun):
        yield


def create(api: HfApi, place: Place, is_public: bool) -> str:
    """Create the place; return its first commit."""
    with hub_errors(place):
        api.create_repo(
            place.name,
            repo_type=place.kind,
            private=not is_public,
            space_sdk="static" if place.kind == "space" else None,
        )
        head = plan.head(api, place)
    if head is None:
        raise PushError(f"{place.name} was created but cannot be found yet; run again")
    terminal.say(f"created {place.name} ({'public' if is_public else 'private'})")
    return head


def commit(
    home: Home,
    api: HfApi,
    place: Place,
    head: str,
    changes: list[plan.Change],
    export: ready.Export,
) -> None:
    """Upload missing files, then make one commit of all changes, on top of ``head`` only.

    Large files are uploaded first and kept by the Hub if this is interrupted, so the next push does
    not upload them again. The place is unchanged until the commit is made.
    """
    operations = [
        CommitOperationDelete(change.path, is_folder=False)
        if change.kind == "deleted"
        else CommitOperationAdd(change.path, str(export.path(change.path)))
        for change in changes
    ]
    additions = [operation for operation in operations if isinstance(operation, CommitOperationAdd)]
    with hub_errors(place), warnings.catch_warnings():
        # Parquet files in a Space.
        warnings.filterwarnings("ignore", "It seems that you are about to commit a data file")
        try:
            # Otherwise a .gitignore there would silently exclude files.
            api.preupload_lfs_files(
                place.name, additions, repo_type=place.kind, gitignore_content=""
            )
            made = api.create_commit(
                place.name,
                operations,
                repo_type=place.kind,
                commit_message=f"Build {export.build[:12]}",
                parent_commit=head,
            )
        except RuntimeError as error:
            # The uploading threads wrap every error in a RuntimeError.
            raise error.__cause__ or error from None
    terminal.say(f"{place.name} is at commit {made.oid[:12]}")
    seen.remember(home, place, made.oid)
