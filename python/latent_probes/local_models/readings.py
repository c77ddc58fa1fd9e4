"""A probe as a language model reads it: token ids of what it is shown, and of what may follow.

The forms are those of the model ``reader_inputs``. What is shown is made of two parts, each
tokenized by itself: a *context*, which many readings share and which is computed once for them, and
a *question*. A *candidate*, the atom or its wrong answer, is tokenized as what follows text.
"""

from __future__ import annotations

from dataclasses import dataclass

from latent_probes.local_models import ReadingError
from latent_probes.queue import rendering
from latent_probes.sampling import tokenizing

# How ids are made of texts; another way is another number, and other scores.
METHOD = "reading 1"
# Tokens that an answer may have beyond those of the atom, and at most.
MORE_TOKENS = 8
LONGEST_ANSWER = 96
# Where the complement stands while its place in the template is looked for.
PLACE = "\N{OBJECT REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Text:
    """What one probe is, in one form, as texts."""

    probe_id: str
    form: str
    input_hash: str
    target: str
    complement: str
    verbalizer_prompt: str
    atom: str
    wrong_answer: str


@dataclass(frozen=True)
class Reading:
    """The same as token ids.

    ``candidates`` are the atom and the wrong answer; ``longest_answer`` is how many tokens the
    model may write, 0 where it is not asked to.
    """

    text: Text
    context: tuple[int, ...]
    question: list[int]
    candidates: tuple[list[int], list[int]]
    longest_answer: int
    was_cut: bool

    @property
    def n_tokens(self) -> int:
        """Tokens of what is shown."""
        return len(self.context) + len(self.question)


def reading_of(tokenizer, text: Text, longest: int) -> Reading:
    """A probe as token ids, at most ``longest`` with either candidate.

    What is too much of the complement is left out, at its end away from the split. Raises
    ReadingError if even without it a candidate does not fit.
    """
    continues = text.form == "continuation"
    candidates = tuple(
        tokenizing.following(tokenizer, candidate_text(candidate, continues))
        for candidate in (text.atom, text.wrong_answer)
    )
    answers = text.form == "question"
    longest_answer = min(len(candidates[0]) + MORE_TOKENS, LONGEST_ANSWER) if answers else 0
    head, shown, question_text = parts(text)
    ids = tokenizing.encode(tokenizer, head + shown)
    if question_text:
        question = tokenizing.following(tokenizer, question_text)
    else:
        # Where nothing is asked, the last token stands for the question.
        ids, question = ids[:-1], ids[-1:]
    room = longest - len(question) - max(*map(len, candidates), longest_answer)
    n_head = len(tokenizing.encode(tokenizer, head)) if head else 0
    if room <= n_head or not all(candidates):
        raise ReadingError(
            f"probe {text.probe_id}: the longer candidate has {max(map(len, candidates)):,} tokens "
            f"and the model reads {longest:,} in all: leave its scope out"
        )
    was_cut = len(ids) > room
    if was_cut:
        n_kept = room - n_head
        ids = ids[:n_head] + (ids[-n_kept:] if text.target == "suffix" else ids[n_head:room])
    return Reading(text, tuple(ids), question, candidates, longest_answer, was_cut)


def parts(text: Text) -> tuple[str, str, str]:
    """What stands before the complement, what is shown, and what is asked after it."""
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
    # The verbalizer comes after it, whatever it holds.
    head, _, question = prompt.partition(PLACE)
    return head, text.complement, question


def candidate_text(candidate: str, continues: bool) -> str:
    """A candidate with what stands before it: one space after "Answer:".

    Where a text goes on, the white space with which a lens begins is its own.
    """
    if continues and candidate[:1].isspace():
        return candidate
    return " " + candidate.strip()
