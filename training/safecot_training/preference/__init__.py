"""Tuning behind SFT: pairs (DPO) and single labels (KTO) from triplets or own failures, sampled answers with rewards (GRPO), all by TRL."""
