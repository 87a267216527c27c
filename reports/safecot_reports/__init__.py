"""Offline leaderboard pages and tables made from safecot-eval runs."""
