"""Packages that are there, that are not, and what an uninstalled one leaves behind."""

from pathlib import Path

import pytest

import localsr
from localsr import loading
from localsr.extras import is_installed, need


def test_an_empty_folder_of_a_package_s_name_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ghost").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert is_installed("localsr")
    assert not is_installed("ghost")
    with pytest.raises(localsr.ConfigError, match=r"haunting needs ghost; .*localsr\[house\]"):
        need("house", "ghost", what="haunting")


def test_without_torch_graphs_compute_and_who_asks_for_torch_hears_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("localsr.extras.find_spec", lambda name: None)
    assert loading.chosen_runtime("auto") == "onnx"
    with pytest.raises(localsr.ConfigError, match=r"^computing by torch needs torch; .*localsr\[torch\]"):
        localsr.load("edsr-light-x4", runtime="torch")
