"""The page of ``safecot paper``: one offline file without any script; the ruler is chosen by style alone."""

from safecot_reports.paper.page import chain_picture, page_html

__all__ = ["chain_picture", "page_html"]
