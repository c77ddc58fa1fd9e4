"""Push an export to a data set on the Hub, in one commit, never over an unseen revision.

``ready`` checks whether the export can be published, ``leaks`` searches it for keys and local
paths, ``plan`` compares it with the Hub, ``seen`` records which revisions were reviewed.
"""

from __future__ import annotations

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.utils import disable_progress_bars, logging

from latent_probes.common import terminal
from latent_probes.common.home import Home
from latent_probes.common.hub_errors import explained
from latent_probes.pushing import leaks, plan, ready, seen
from latent_probes.pushing.ready import PushError


def push(
    home: Home, name: str, *, dry_run: bool, allow_baseline: bool, is_public: bool = False
) -> None:
    """Update the data set ``name`` (OWNER/NAME) to match the export, or show what would change.

    Raises PushError with a remedy, leaving the data set unchanged, if the export must not be
    published, the data set is at a revision that was not reviewed, or the Hub refuses.
    """
    # Retries of the client would be logged as warnings.
    logging.set_verbosity_error()
    if not terminal.console.is_terminal:
        disable_progress_bars()
    export = ready.checked(home, allow_baseline)
    leaks.refuse(home, export)
    api = HfApi()
    with explained(name, PushError, writing=True):
        head = plan.head(api, name)
        there = plan.listed(api, name, head) if head else {}
        changes = plan.changes(name, head, there, export)
    plan.show(name, head, changes, export)
    if head is not None and not changes:
        seen.remember(home, name, head)
        terminal.say(f"{name} is up to date: nothing to upload")
        return
    if dry_run:
        if head is not None:
            seen.remember(home, name, head)
        terminal.say("dry run: nothing was uploaded")
        return
    if head is None:
        head = create(api, name, is_public)
    # A push that was killed after it created the data set leaves it empty.
    elif not plan.is_empty(there) and not seen.is_known(home, name, head):
        raise PushError(
            f"{name} is at commit {head[:12]}, which you have not reviewed: run with --dry-run "
            "first, then push"
        )
    commit(home, api, name, head, changes, export)


def create(api: HfApi, name: str, is_public: bool) -> str:
    """Create the data set; return its first commit."""
    with explained(name, PushError, writing=True):
        api.create_repo(name, repo_type="dataset", private=not is_public)
        head = plan.head(api, name)
    if head is None:
        raise PushError(f"{name} was created but cannot be found yet; run again")
    terminal.say(f"created {name} ({'public' if is_public else 'private'})")
    return head


def commit(
    home: Home, api: HfApi, name: str, head: str, changes: list[plan.Change], export: ready.Export
) -> None:
    """Upload missing files, then make one commit of all changes, on top of ``head`` only.

    Large files are uploaded first and kept by the Hub if this is interrupted, so the next push does
    not upload them again. The data set is unchanged until the commit is made.
    """
    operations = [
        CommitOperationDelete(change.path, is_folder=False)
        if change.kind == "deleted"
        else CommitOperationAdd(change.path, str(export.folder / change.path))
        for change in changes
    ]
    additions = [operation for operation in operations if isinstance(operation, CommitOperationAdd)]
    with explained(name, PushError, writing=True):
        try:
            # Otherwise a .gitignore in the data set would silently exclude files.
            api.preupload_lfs_files(name, additions, repo_type="dataset", gitignore_content="")
            made = api.create_commit(
                name,
                operations,
                repo_type="dataset",
                commit_message=f"Build {export.build[:12]}",
                parent_commit=head,
            )
        except RuntimeError as error:
            # The uploading threads wrap every error in a RuntimeError.
            raise error.__cause__ or error from None
    terminal.say(f"{name} is at commit {made.oid[:12]}")
    seen.remember(home, name, made.oid)
