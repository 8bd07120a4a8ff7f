"""Prompts from files: what is read, what is hashed, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from activegraph.errors import PackError, PackPromptLoadError, RegistrationError
from activegraph.packs import PackPrompt, load_prompts_from_dir

FRONT = '---\nversion = "1.0.0"\n---\n'


def write(folder: Path, name: str, text: str | bytes) -> Path:
    file = folder / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def test_prompts_come_in_the_order_of_their_files_names(tmp_path: Path) -> None:
    for name in ("b.md", "a.md", "c.md"):
        write(tmp_path, name, FRONT + name)
    write(tmp_path, "notes.txt", "no prompt")
    (tmp_path / "below").mkdir()
    write(tmp_path / "below", "d.md", FRONT)

    assert load_prompts_from_dir(tmp_path) == tuple(PackPrompt.from_body(n, "1.0.0", f"{n}.md") for n in "abc")
    assert load_prompts_from_dir(str(tmp_path)) == load_prompts_from_dir(tmp_path)


def test_an_empty_directory_holds_no_prompts(tmp_path: Path) -> None:
    assert load_prompts_from_dir(tmp_path) == ()


def test_name_and_version_come_from_the_front_matter_and_other_keys_are_let_be(tmp_path: Path) -> None:
    write(tmp_path, "file.md", '---\nname = "rank"\nversion = 2\nowner = "me"\n---\n\n Rank {them}.\n---\nall\n')

    (prompt,) = load_prompts_from_dir(tmp_path)
    assert (prompt.name, prompt.version) == ("rank", "2")
    assert prompt.body == "\n Rank {them}.\n---\nall\n"
    assert prompt.content_hash == PackPrompt.compute_hash(prompt.body)


def test_a_text_has_one_hash_on_every_system(tmp_path: Path) -> None:
    text = FRONT + "Rank the causes.\n\nÄrger zuerst.\n"
    spellings = {
        "unix": text.encode(),
        "windows": text.replace("\n", "\r\n").encode(),
        "old_mac": text.replace("\n", "\r").encode(),
        "with_mark": b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(),
    }
    for name, spelling in spellings.items():
        write(tmp_path, f"{name}.md", spelling)

    assert {prompt.content_hash for prompt in load_prompts_from_dir(tmp_path)} == {
        PackPrompt.compute_hash("Rank the causes.\n\nÄrger zuerst.\n")
    }


def test_a_changed_letter_changes_the_hash_and_a_changed_version_does_not(tmp_path: Path) -> None:
    write(tmp_path, "a.md", FRONT + "Rank.")
    write(tmp_path, "b.md", FRONT.replace("1.0.0", "9.9.9") + "Rank.")
    write(tmp_path, "c.md", FRONT + "Rank!")

    a, b, c = load_prompts_from_dir(tmp_path)
    assert a.content_hash == b.content_hash != c.content_hash


def test_hidden_files_and_links_are_skipped(tmp_path: Path) -> None:
    outside = write(tmp_path, "outside.md", FRONT + "secret")
    folder = tmp_path / "prompts"
    folder.mkdir()
    write(folder, ".draft.md", "no front matter")
    (folder / "link.md").symlink_to(outside)
    write(folder, "real.md", FRONT)

    assert [prompt.name for prompt in load_prompts_from_dir(folder)] == ["real"]


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "no front matter": ("Rank.\n", "frontmatter"),
    "front matter without an end": ('---\nversion = "1"\nRank.\n', "frontmatter"),
    "an empty file": ("", "frontmatter"),
    "front matter that is YAML": ("---\nversion: 1\n---\n", "TOML"),
    "no version": ('---\nname = "a"\n---\n', "version"),
    "a name that is no text": ("---\nversion = 1\nname = 2\n---\n", "name"),
    "bytes that are no UTF-8": (b'---\nversion = "1"\n---\n\xff', "UTF-8"),
}


@pytest.mark.parametrize(("content", "says"), REFUSED.values(), ids=REFUSED)
def test_a_file_that_is_no_prompt_is_refused_by_its_path(tmp_path: Path, content: str | bytes, says: str) -> None:
    file = write(tmp_path, "broken.md", content)

    with pytest.raises(PackPromptLoadError, match=says) as refusal:
        load_prompts_from_dir(tmp_path)

    assert str(file) in str(refusal.value)
    assert refusal.value.context["path"] == str(file)
    assert isinstance(refusal.value, RegistrationError)
    assert isinstance(refusal.value, PackError)


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.md", FRONT)
    write(tmp_path, "b.md", '---\nversion = "1"\nname = "a"\n---\n')

    with pytest.raises(PackPromptLoadError, match=r"'a'.*a\.md"):
        load_prompts_from_dir(tmp_path)


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackPromptLoadError, match="does not exist"):
        load_prompts_from_dir(tmp_path / "nowhere")
    with pytest.raises(PackPromptLoadError, match="not a directory"):
        load_prompts_from_dir(write(tmp_path, "file", ""))


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a.md", FRONT)

    def denied(file: Path) -> bytes:
        # The tests may run as root, to whom no file is closed.
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(PackPromptLoadError, match="cannot be read: Permission denied"):
        load_prompts_from_dir(tmp_path)
