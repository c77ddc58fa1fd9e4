"""A probe as input of a local model: token ids of the prompt and of the two candidates.

The forms are those of the table ``reader_inputs``. A prompt has two parts, tokenized separately: a
*context*, which many readings share and which is computed once for them, and a *question*. A
*candidate* (the atom or the wrong answer) is tokenized as a continuation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from latent_probes.local_models import ReadingError
from latent_probes.queue import rendering
from latent_probes.sampling import tokenizing

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Version of the tokenization and prompt; changing it gives new scores.
METHOD = "reading 3"
# Maximum answer length: tokens beyond those of the atom, and in all. A lens is asked for with its
# length, so its answer has that of the atom; before the split it is compared from its end, which
# has more room.
MORE_TOKENS = 8
LONGEST_ANSWER = 96
# Placeholder, to find the complement's position in the template.
PLACE = "\N{OBJECT REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Text:
    """The texts of one probe in one form.

    ``wrong_answer`` is the text that is compared with the atom: what ``compared_with`` names.
    """

    probe_id: str
    form: str
    input_hash: str
    scope: str
    target: str
    complement: str
    verbalizer_prompt: str
    atom: str
    wrong_answer: str
    compared_with: str = "wrong_answer"


@dataclass(frozen=True)
class Reading:
    """The token ids of one probe in one form.

    ``candidates`` are the atom and the wrong answer; ``longest_answer`` is the maximum length of
    the generated answer, 0 if none is generated. It also ends with its line; of a lens, with the
    line after as many tokens as the atom has.
    """

    text: Text
    context: tuple[int, ...]
    question: list[int]
    candidates: tuple[list[int], list[int]]
    longest_answer: int
    was_cut: bool

    @property
    def n_tokens(self) -> int:
        """Tokens of the prompt."""
        return len(self.context) + len(self.question)


def reading_of(tokenizer: PreTrainedTokenizerBase, text: Text, longest: int) -> Reading:
    """Tokenize a probe, at most ``longest`` tokens including the longer candidate.

    A complement that is too long is truncated at the end away from the split. Raises ReadingError
    if a candidate does not fit even without the complement.
    """
    continues = text.form == "continuation"
    candidates = (
        tokenizing.following(tokenizer, candidate_text(text.atom, continues)),
        tokenizing.following(tokenizer, candidate_text(text.wrong_answer, continues)),
    )
    # The answer is the same, whatever the atom is compared with.
    if text.form != "question" or text.compared_with != "wrong_answer":
        longest_answer = 0
    elif text.scope == "lens":
        longest_answer = len(candidates[0]) + (MORE_TOKENS if text.target == "prefix" else 0)
    else:
        longest_answer = min(len(candidates[0]) + MORE_TOKENS, LONGEST_ANSWER)
    head, shown, question_text = parts(text)
    ids = tokenizing.encode(tokenizer, head + shown)
    if question_text:
        question = tokenizing.following(tokenizer, question_text)
    else:
        # Without a question, the last token takes its place.
        ids, question = ids[:-1], ids[-1:]
    room = longest - len(question) - max(*map(len, candidates), longest_answer)
    n_head = len(tokenizing.encode(tokenizer, head)) if head else 0
    if room <= n_head or not all(candidates):
        raise ReadingError(
            f"probe {text.probe_id}: the longer candidate has {max(map(len, candidates)):,} tokens "
            f"but the context window has only {longest:,}: omit this scope"
        )
    was_cut = len(ids) > room
    if was_cut:
        n_kept = room - n_head
        ids = ids[:n_head] + (ids[-n_kept:] if text.target == "suffix" else ids[n_head:room])
    return Reading(text, tuple(ids), question, candidates, longest_answer, was_cut)


def parts(text: Text) -> tuple[str, str, str]:
    """The prompt before the complement, the complement, and the prompt after it."""
    if text.form == "continuation":
        return "", text.complement, ""
    prompt = rendering.template("reader").render(
        shown="nothing" if text.form == "question_only" else "complement",
        target=text.target,
        complement=PLACE,
        verbalizer_prompt=text.verbalizer_prompt,
    )
    if text.form == "question_only":
        return "", prompt, ""
    # Partition at the first one: the verbalizer, which could contain another, comes later.
    head, _, question = prompt.partition(PLACE)
    return head, text.complement, question


def candidate_text(candidate: str, continues: bool) -> str:
    """A candidate with its leading white space: one space after "Answer:".

    In a continuation, a lens keeps its own leading white space.
    """
    if continues and candidate[:1].isspace():
        return candidate
    return " " + candidate.strip()
