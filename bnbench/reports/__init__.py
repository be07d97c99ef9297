"""Reports: a board as text for the terminal, JSON, CSV and Markdown; each is made from the board and nothing else."""

from bnbench.reports.csv_report import to_csv as to_csv
from bnbench.reports.json_report import to_json as to_json
from bnbench.reports.markdown import to_markdown as to_markdown
from bnbench.reports.sweep import print_job as print_job
from bnbench.reports.sweep import print_lines as print_lines
from bnbench.reports.sweep import print_sweep as print_sweep
from bnbench.reports.sweep import print_take_away as print_take_away
from bnbench.reports.terminal import print_board as print_board
from bnbench.reports.terminal import to_text as to_text
