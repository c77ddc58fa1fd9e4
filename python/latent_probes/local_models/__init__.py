"""Run a language model over documents in this process: scores of probes, and hidden states.

Needs the extra ``lm``.
"""


class ReadingError(Exception):
    """A text cannot be read, or a result is not finite; the message says what to do."""
