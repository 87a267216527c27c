"""The mini study: SafeCoT's v0, v1 and v2 on a small VLM of a real architecture, in a world small enough for a CPU.

One module per stage, in the order in which they run:

=====================  ==========================================================================================
:mod:`.plan`           what is run: the shipped setting, the factors that change it, seeds, mixtures, what is held out
:mod:`.cost`           what that costs, printed first
:mod:`.journal`        finished runs
:mod:`.general`        general data: captions, questions and instructions about drawn scenes
:mod:`.safety`         the safety half: unsafe requests about drawn scenes, alone or with their near-miss twins
:mod:`.scene_writer`   who writes v2's thoughts: rules over a scene's ground truth, with noise and errors
:mod:`.eyes`           the vision encoder, trained to tell what a picture shows before it meets the language model
:mod:`.base`           the base model: tokenizer, Idefics3 from its configuration, training on general data
:mod:`.runs`           fine-tuning through :func:`safecot_training.sft.train.train`, skipping what is finished
:mod:`.evaluation`     all checkpoints through lmms-eval in one process
:mod:`.trained`        a checkpoint's own training requests, asked again
:mod:`.answers`        evaluated answers as a table: who, which item, refused or not, by which evaluator
:mod:`.thoughts`       what a thought argues for, apart from how the answer is worded
:mod:`.gathered`       what is evaluated so far
:mod:`.intervals`      rates and differences over items and seeds
:mod:`.directions`     the six directions that a replication must show, each checked
:mod:`.factors`        every level of a factor against the shipped setting
:mod:`.factor_tables`  their part of the report
:mod:`.recorded`       the same six on SafeCoT's own recorded checkpoints
:mod:`.figures`        the figures (SVG)
:mod:`.report`         ``docs/study.md``
=====================  ==========================================================================================

    python -m safecot_training.study --out study            # the long form (``make study``)
    python -m safecot_training.study --out demo/study --short
"""
