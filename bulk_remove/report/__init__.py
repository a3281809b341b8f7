"""The report for people: one HTML file that needs nothing else.

`page` says what stands in it, `charts` draws, `page.html.j2` and `style.css` are its form.
"""

from bulk_remove.report.html import write_page

__all__ = ["write_page"]
