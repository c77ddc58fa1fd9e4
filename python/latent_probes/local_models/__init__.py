"""Read documents with a language model in this process: scores of probes, and hidden states.

Needs the extra ``lm``.
"""


class ReadingError(Exception):
    """Something cannot be read, or gives no number; the message says what and what to do."""
