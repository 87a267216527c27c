"""Pass 1, ``safecot run``: plan, preflight, lmms-eval in this process, journal, publishing; models, presets, cards, imports."""
