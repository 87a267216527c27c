"""From runs to numbers: one reader, compact columns, metrics with intervals, paired comparisons, the leaderboard's cells."""
