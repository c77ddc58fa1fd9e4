"""Push an export to a data set on the Hub: in one commit, over nothing that was not seen.

``ready`` says whether the export may leave, ``leaks`` what must not leave with it, ``plan`` what
the Hub lacks, ``seen`` which of its states were looked at.
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
    """Bring the data set ``name`` (OWNER/NAME) to the state of the export, or show what that means.

    Raises PushError with the remedy, and leaves the data set as it was, where the export may not
    leave, the data set is in a state that was never looked at, or the Hub says no.
    """
    # The client warns in its own words of what it tries again.
    logging.set_verbosity_error()
    if not terminal.console.is_terminal:
        disable_progress_bars()
    export = ready.checked(home, allow_baseline)
    leaks.refuse(home, export)
    api = HfApi()
    with explained(name, PushError, writing=True):
        head = plan.head(api, name)
        changes = plan.changes(api, name, head, export)
    plan.show(name, head, changes, export)
    if head is not None and not changes:
        seen.remember(home, name, head)
        terminal.say(f"{name} is there already: nothing to send")
        return
    if dry_run:
        if head is not None:
            seen.remember(home, name, head)
        terminal.say("nothing was sent: this was a dry run")
        return
    if head is None:
        head = create(home, api, name, is_public)
    elif not seen.is_known(home, name, head):
        raise PushError(
            f"{name} is at commit {head[:12]}, which nobody here has looked at: see what would "
            "change with --dry-run, then push again"
        )
    commit(home, api, name, head, changes, export)


def create(home: Home, api: HfApi, name: str, is_public: bool) -> str:
    """Make the data set; return its first commit."""
    with explained(name, PushError, writing=True):
        api.create_repo(name, repo_type="dataset", private=not is_public)
        head = plan.head(api, name)
    if head is None:
        raise PushError(f"{name}: was made, and is not there; run again")
    seen.remember(home, name, head)
    terminal.say(f"made {name}, {'public' if is_public else 'private'}")
    return head


def commit(
    home: Home, api: HfApi, name: str, head: str, changes: list[plan.Change], export: ready.Export
) -> None:
    """Send what is missing, then make one commit of everything, on top of ``head`` only.

    Large files go first and stay at the Hub if this breaks off: the next push does not send them
    again. Until the commit is made the data set is as it was.
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
            # A .gitignore in the data set would have the Hub leave files out, and say nothing.
            api.preupload_lfs_files(name, additions, repo_type="dataset", gitignore_content="")
            made = api.create_commit(
                name,
                operations,
                repo_type="dataset",
                commit_message=f"Build {export.build[:12]}",
                parent_commit=head,
            )
        except RuntimeError as error:
            # Threads that upload say so of whatever befell them.
            raise error.__cause__ or error from None
    seen.remember(home, name, made.oid)
    terminal.say(f"{name} is at commit {made.oid[:12]}")
