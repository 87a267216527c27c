"""Judge one run and say so: what the kill test starts and kills. ``python -m tests.judge.kill_target RUNS URL CACHE``."""

from __future__ import annotations

import sys
from pathlib import Path

from safecot_eval.judge.endpoint.endpoint import Endpoint
from safecot_eval.judge.endpoint.remote import RemoteJudge
from safecot_eval.judge.judge_runs import judge_runs
from safecot_eval.judge.rubric_files import own
from safecot_eval.records.run import find_runs

if __name__ == "__main__":
    runs, url, cache = sys.argv[1:]
    judge = RemoteJudge(Endpoint(url, "emulated-judge"), Path(cache), most_in_flight=8)
    print("start", flush=True)
    judge_runs(find_runs([runs]), judge, own(), judge_id="j", quiet=True)
