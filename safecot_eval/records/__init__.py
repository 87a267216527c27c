"""What travels between the passes: samples, records, verdicts, and the run folders that hold them."""
