"""Pass 2, who labels answers: LLM judges and guard models by rubrics, safecot-lite, juries, toxicity scorers, people; and how good each is."""
