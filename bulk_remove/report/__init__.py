"""The reports: `csv` with the summary, `xlsx`, and `html`, one page that needs nothing else.

`page.html.j2` and `style.css` are the form of the page.
"""
