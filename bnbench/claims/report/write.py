"""Which results are reported, and the files the report goes to."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from bnbench.claims.finding import claim_ids, in_order
from bnbench.claims.report.markdown import to_markdown
from bnbench.claims.report.page import to_html
from bnbench.claims.report.picture import as_file
from bnbench.claims.report.view import View, verdicts_counted, view_of
from bnbench.claims.result import FOLDER, Result, read_results
from bnbench.claims.running import is_of
from bnbench.claims.source import experiment_file, source_hash
from bnbench.errors import UserError
from bnbench.records.atomic import make_folder, write_atomically

PREFERRED = ("full", "quick", "miniature")


def write_report(runs_dir: Path, *, markdown: Path, page: Path | None) -> Iterator[str]:
    """Write the Markdown with its pictures beside it, and the page; yield a line on each.

    Of a claim that was measured in several sizes the largest counts. Raises UserError where there is no result, or a
    damaged one.
    """
    results = chosen(read_results(runs_dir))
    if not results:
        raise UserError(f"no claim was measured in {runs_dir}; measure one: python -m bnbench.claims run --quick A17")
    views = [view_of(result, is_current=is_current(result)) for result in results]
    missing = [claim_id for claim_id in claim_ids() if claim_id not in {result.claim_id for result in results}]
    counts = verdicts_counted(results)
    pictures = markdown.with_suffix("")
    _write_pictures(views, pictures)
    _write(markdown, to_markdown(views, missing=missing, counts=counts, pictures=pictures.name))
    yield f"{markdown}: {len(views)} claims: {counts}"
    page = page or runs_dir / FOLDER / "claims.html"
    _write(page, to_html(views, missing=missing, counts=counts))
    yield f"{page}: the same as a page"
    if missing:
        yield f"not measured yet: {', '.join(missing)}"


def chosen(results: Sequence[Result]) -> list[Result]:
    """Return one result per claim, of its largest size, in the catalogue's order."""
    by_claim: dict[str, Result] = {}
    for result in sorted(results, key=lambda each: PREFERRED.index(each.size), reverse=True):
        by_claim[result.claim_id] = result
    return [by_claim[claim_id] for claim_id in in_order(by_claim)]


def is_current(result: Result) -> bool:
    """Return whether a result is of the claim as it stands; of one that is gone, or its experiment, it is not."""
    gone = result.experiment is not None and not experiment_file(result.experiment).is_file()
    if result.claim_id not in claim_ids() or gone:
        return False
    return is_of(result, source_hash(result.claim_id, experiment=result.experiment))


def _write_pictures(views: Sequence[View], folder: Path) -> None:
    make_folder(folder)
    for view in views:
        for picture in view.pictures:
            _write(folder / f"{view.claim_id}-{picture.name}.svg", as_file(picture.svg))


def _write(path: Path, text: str) -> None:
    make_folder(path.parent)
    write_atomically(path, text.encode())
