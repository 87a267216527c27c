"""SafeCoT's own checkpoints: recorded answers, recorded judge, and what they say by every ruler.

The recorded runs are read (:mod:`.recorded`), measured by seven rulers (:mod:`.rulers`), compared (:mod:`.differences`,
:mod:`.directions`) and held against the figures that were recorded beside them (:mod:`.reproduction`);
:mod:`.findings` gathers all of it for the page, the Markdown and the CSV of ``safecot paper``.
"""
