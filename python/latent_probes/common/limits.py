"""Limits on what servers send and files contain: each bounds memory, disk or time."""

# The body of one response: a message, a completion, a page of a list, an error.
RESPONSE_BYTES = 16 << 20
# From the start of a response to its end, and besides as long as its maximum takes at this speed.
RESPONSE_SECONDS = 3600.0
BYTES_PER_SECOND = 10_000
# The results of a batch, per request, on average.
RESULT_BYTES = 1 << 20
# A line of a file of results. A longer one is kept as an unreadable line, cut to LINE_SHOWN.
LINE_BYTES = 16 << 20
LINE_SHOWN = 1000
# The list of a provider's batches.
LIST_PAGES = 2000
# Files of a data set on the Hub.
HUB_FILES = 100_000
# How much longer than listed a file of the Hub may be; its hash decides whether it is right.
HUB_EXTRA_BYTES = 64 << 10
# What an error shows of a response.
SHOWN_CHARACTERS = 300
# Responses in a row that are not from the API, until the command stops: each can be billed.
STRANGE_RESPONSES = 3
# A server that asks to wait longer than this is not waited for.
WAIT_SECONDS = 600.0
# How long a run waits for a provider that is unreachable or busy.
OUTAGE_SECONDS = 24 * 3600.0
# A batch ends within 24 hours; one that takes longer than this never will.
BATCH_SECONDS = 48 * 3600.0
# A row of a JSONL or CSV file: it can be a prefix with all its continuations.
ROW_CHARACTERS = 1 << 26
# The text of a JSONL or CSV file: a small one can decompress to any length.
FILE_CHARACTERS = 1 << 36
# An answer that is searched for a JSON object, and failed readings in it.
ANSWER_CHARACTERS = 1_000_000
ANSWER_READINGS = 1000
# An answer that is repaired, its quotes, and its brackets that are open at a time: normally 4, and
# each of them is read again for each quote.
REPAIRED_CHARACTERS = 200_000
REPAIRED_QUOTES = 10_000
REPAIRED_DEPTH = 8
# Card, queries or manifest of a data set that is checked; those of 100 rounds have a tenth of it.
DATA_SET_TEXT_BYTES = 64 << 20
# The time of a check, and besides as long as the files take at this speed; its address space, and
# what DuckDB has of it. For 600,000 probes it needs 5 GB of address space and 2 GB of memory.
CHECK_SECONDS = 60
CHECKED_BYTES_PER_SECOND = 2 << 20
CHECK_MEMORY_BYTES = 8 << 30
QUERY_MEMORY = "4GB"
# Differences that a check lists.
FAULTS_SHOWN = 20
