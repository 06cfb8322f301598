"""A terminal's folder: its configuration page is true, and a file is written whole or not."""

import os
import re
from pathlib import Path

import msgspec
import pytest

from ledger.errors import FolderError
from ledger.folder import TerminalConfig, open_folder, write_whole
from provisioning.office import OfficeConfig
from sync_agent.province.folder import ProvinceConfig
from tests.source_tree import ROOT
from tests.world import World

PAGE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
FILES = {
    "terminal.toml": TerminalConfig,
    "province.toml": ProvinceConfig,
    "office.toml": OfficeConfig,
}


@pytest.mark.parametrize(("name", "kind"), FILES.items(), ids=FILES.keys())
def test_every_key_and_its_default_stand_on_the_configuration_page(
    name: str, kind: type[msgspec.Struct]
) -> None:
    section = PAGE.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \| .+ \|$", section, re.MULTILINE)
    told = {key: default.strip("`") for key, _, default in rows}
    fields = {field.name: field.default for field in msgspec.structs.fields(kind)}
    assert told.keys() == fields.keys()
    for key, default in fields.items():
        if default is msgspec.NODEFAULT:
            assert told[key] == "–"
        else:
            said = {(): "[]", None: "none"}
            assert told[key] == said.get(default, default)


def test_example_of_the_configuration_page_is_a_configuration(tmp_path: Path) -> None:
    [example] = re.findall(r"^```\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "terminal.toml").write_text(example)
    config = open_folder(tmp_path).config
    assert (config.ordinal, config.point, config.language) == (1, "Balai Desa Satu", "id")


def test_folder_is_opened_by_its_file_or_by_itself(tmp_path: Path) -> None:
    folder = World(tmp_path).terminal("Satu")
    assert open_folder(folder.root / "terminal.toml") == open_folder(folder.root) == folder


@pytest.mark.parametrize("code", ["fr", "id\n", "", "ID"])
def test_language_is_one_of_two(tmp_path: Path, code: str) -> None:
    folder = World(tmp_path).terminal("Satu")
    path = folder.root / "terminal.toml"
    path.write_text(path.read_text() + f"language = {msgspec.json.encode(code).decode()}\n")
    with pytest.raises(FolderError, match=r"\$\.language"):
        open_folder(path)


# --- files ---


class PowerCutError(Exception):
    """The machine stops here."""


@pytest.mark.parametrize("step", ["fsync", "replace", "fchmod", "open"])
@pytest.mark.parametrize("old", [b"old", None])
def test_power_cut_while_writing_leaves_the_old_file_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, old: bytes | None
) -> None:
    path, cuts, real = tmp_path / "file", 0, getattr(os, step)
    while True:
        path.unlink(missing_ok=True)
        if old is not None:
            path.write_bytes(old)
        left = cuts

        def cut(*args: object, **kwargs: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise PowerCutError
            return real(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(os, step, cut)
            try:
                write_whole(path, b"new")
            except PowerCutError:
                cuts += 1
            else:
                break
        found = path.read_bytes() if path.exists() else None
        assert found in {old, b"new"}
        assert cuts < 20
    assert cuts >= 1
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_file_has_its_mode_from_the_first_byte(tmp_path: Path, mode: int) -> None:
    write_whole(tmp_path / "deep" / "file", b"x", mode=mode)
    assert (tmp_path / "deep" / "file").stat().st_mode & 0o777 == mode
    assert os.listdir(tmp_path / "deep") == ["file"]


def test_file_that_cannot_be_written_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file" / "inside", tmp_path):
        with pytest.raises(FolderError, match="nothing was changed"):
            write_whole(path, b"x")
    assert os.listdir(tmp_path) == ["file"]
