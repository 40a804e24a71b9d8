"""Reports on regions from several frames: what they say can be checked against the files."""

import hashlib
import json
import re
from pathlib import Path

import av
import clips
import cv2
import numpy as np
import pytest
from networks import restorer, tiny

import localsr
from localsr.drawing.frame_report import WARNING, RegionReport, write_frame_report
from localsr.errors import ConfigError

BOX = localsr.Box(30, 20, 62, 44)


def test_a_report_of_a_clip(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    scene = cv2.GaussianBlur(random.random((90, 130, 3)), (0, 0), 1.5)
    scene = ((scene - scene.min()) / np.ptp(scene) * 255).astype(np.uint8)
    shown = [np.ascontiguousarray(scene[n // 2 : n // 2 + 72, n : n + 112]) for n in range(5)]
    path = tmp_path / "a <b>.mp4"
    path.write_bytes(clips.encoded([*shown, 255 - shown[4]]))
    frames = localsr.read_frames(path, at=0.08, count=5)
    found = restorer(tiny()).encode(frames).restore(BOX)
    found.save(tmp_path / "plate.png")
    report = tmp_path / "report.html"
    assert write_frame_report(report, frames, [RegionReport(found, tmp_path / "plate.png")]) == tmp_path / "report.json"

    told = json.loads((tmp_path / "report.json").read_text())
    with av.open(str(path)) as container:
        hashes = [hashlib.sha256(frame.to_ndarray().tobytes()).hexdigest() for frame in container.decode(video=0)]
    assert told["source_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert told["reference_sha256"] == hashes[2]
    assert told["warning"] == WARNING
    region = told["regions"][0]
    assert region["box"] == [30, 20, 62, 44]
    assert region["file_sha256"] == hashlib.sha256((tmp_path / "plate.png").read_bytes()).hexdigest()
    frames_told = {one["frame"]: one for one in (*region["used"], *region["left_out"])}
    assert {name: one["sha256"] for name, one in frames_told.items()} == {
        f"{0.04 * n:.3f} s": hashes[n] for n in (0, 1, 3, 4, 5)
    }
    assert frames_told["0.200 s"]["reason"] == "it does not show the region"
    assert frames_told["0.120 s"]["motion"] == pytest.approx([-1, 0], abs=0.1)
    assert all(0 < one["weight"] <= 1 for one in region["used"])
    assert region["fused"]

    page = report.read_text()
    assert "a &lt;b&gt;.mp4" in page
    assert "<b>" not in page
    assert WARNING in page
    assert "default-src 'none'" in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert page.count("data:image/png;base64,") == 1 + 4 + 1 + 2 * len(region["used"])


def test_a_report_without_other_frames(tmp_path: Path) -> None:
    frames = localsr.read_frames([np.full((48, 64, 3), 90, np.uint8)])
    found = restorer(tiny()).encode(frames).restore(localsr.Box(4, 4, 20, 20))
    write_frame_report(tmp_path / "report.html", frames, [RegionReport(found)])
    told = json.loads((tmp_path / "report.json").read_text())
    assert told["regions"][0]["fused"] is False
    assert "no other frame could be used" in (tmp_path / "report.html").read_text()
    with pytest.raises(ConfigError, match=r"must end in \.html"):
        write_frame_report(tmp_path / "report.pdf", frames, [RegionReport(found)])
