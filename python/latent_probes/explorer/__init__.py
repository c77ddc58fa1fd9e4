"""The explorer: a page on which people read a data set, and its server on this machine.

``page`` has the page's files, which `make explorer` bundles from the folder `explorer/` of the
project; ``sources`` reads a data set's files from a folder or from the Hub; ``server`` serves both
on the loopback interface.
"""
