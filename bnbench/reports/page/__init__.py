"""The board as one HTML file that works from disk without a network: tables, charts, glossary, where it comes from."""

from bnbench.reports.page.document import to_html as to_html
