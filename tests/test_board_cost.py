"""The benchmark of the board runs on a few records and reports both sizes; no timing is judged."""

import json

import pytest

from benchmarks.board_cost import main


def test_both_numbers_of_records_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--records", "50", "--rounds", "1", "--format", "json", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert [board["records"] for board in report["boards"]] == [10, 50]
    assert report["rows_per_record"] == 200
    for board in report["boards"]:
        assert min(value for measured in ("wall", "processor", "memory_mb") for value in board[measured]) > 0


def test_the_report_is_printed_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--records", "20", "--rounds", "1"])
    assert "20 records: wall" in capsys.readouterr().out
