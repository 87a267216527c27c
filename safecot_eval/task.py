"""Kept for one release: copies of ``_safecot_leaf`` in users' own task folders name this module."""

from safecot_eval.generate.task import doc_to_messages, doc_to_text, doc_to_visual, load_docs, process_results

__all__ = ["doc_to_messages", "doc_to_text", "doc_to_visual", "load_docs", "process_results"]
