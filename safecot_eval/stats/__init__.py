"""Statistics: pure functions over counts and arrays; formulas and sources are in ``docs/methods.md``."""

from __future__ import annotations

from safecot_eval.stats.agreement import (
    Agreement,
    ErrorRates,
    cohen_kappa,
    gwet_ac1,
    kappa_of_table,
    krippendorff_alpha,
    percent_agreement,
    sensitivity_specificity,
)
from safecot_eval.stats.balanced import Half, balanced_difference
from safecot_eval.stats.claims import Outcome, at_least, at_most
from safecot_eval.stats.clusters import clustered_rate
from safecot_eval.stats.compare import (
    Comparison,
    holm,
    mcnemar,
    paired_difference,
    rank_ranges,
    sign_flip,
    tango_interval,
)
from safecot_eval.stats.correction import Correction, Target, corrected_rate, ppi, rogan_gladen, youden_index
from safecot_eval.stats.estimates import (
    Estimate,
    IntervalMethod,
    clopper_pearson_interval,
    harmonic_mean,
    macro_mean,
    rate,
    wilson_interval,
)
from safecot_eval.stats.homogeneity import Homogeneity, error_homogeneity
from safecot_eval.stats.paired_means import paired_mean_difference
from safecot_eval.stats.sample_size import items_needed, minimum_detectable_difference, power

__all__ = [
    "Agreement",
    "Comparison",
    "Correction",
    "ErrorRates",
    "Estimate",
    "Half",
    "Homogeneity",
    "IntervalMethod",
    "Outcome",
    "Target",
    "at_least",
    "at_most",
    "balanced_difference",
    "clopper_pearson_interval",
    "clustered_rate",
    "cohen_kappa",
    "corrected_rate",
    "error_homogeneity",
    "gwet_ac1",
    "harmonic_mean",
    "holm",
    "items_needed",
    "kappa_of_table",
    "krippendorff_alpha",
    "macro_mean",
    "mcnemar",
    "minimum_detectable_difference",
    "paired_difference",
    "paired_mean_difference",
    "percent_agreement",
    "power",
    "ppi",
    "rank_ranges",
    "rate",
    "rogan_gladen",
    "sensitivity_specificity",
    "sign_flip",
    "tango_interval",
    "wilson_interval",
    "youden_index",
]
