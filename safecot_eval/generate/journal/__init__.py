"""The generation journal: every answer is on disk before the next one is asked for, whatever the back end.

lmms-eval writes its own response cache when everything is generated, under a random name, failed requests included.
``safecot run`` therefore wraps the model that lmms-eval has built: requests go to it in chunks, and each chunk's answers
are appended and synced before the next chunk starts. A rerun of the same command asks only for what is missing.

* :mod:`.store`: the file format, append and read;
* :mod:`.identity`: what makes two requests the same;
* :mod:`.generation`: the wrapper around a model;
* :mod:`.lock`: one process per results folder.
"""
