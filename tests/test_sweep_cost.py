"""The benchmark of sweeps runs on a few cells and reports every figure; no timing is judged."""

import json

import pytest

from benchmarks.sweep import ENGINES, NORMS, main


@pytest.mark.slow
def test_every_launcher_overhead_and_resume_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--rounds", "1", "--cells", "14", "--steps", "20", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert [row["engine"] for row in report["engines"]] == [engine.name for engine in ENGINES]
    assert min(report["engines"][0]["cells_per_minute"]) > 0
    assert report["overhead"]["cells"] == report["resume"]["cells"] == 2 * len(NORMS)
    for measured in (report["overhead"], report["resume"]):
        assert min(*measured["seconds"], *measured["processor_seconds"]) > 0
    assert set(report["disk"]["files"]) == {"SHA256SUMS", "history.parquet", "run.json"}
