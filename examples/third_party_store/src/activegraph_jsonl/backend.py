"""What the URL scheme `jsonl` stands for: `jsonl:///folder`, three slashes for a relative one."""

import json
from pathlib import Path
from urllib.parse import unquote

from activegraph import store

from activegraph_jsonl.store import JsonlStore


class JsonlBackend:
    """Opens and lists the runs of a folder."""

    scheme = "jsonl"

    def parse(self, url: str) -> store.StoreURL:
        place = url.partition("://")[2]
        if len(place) < 2 or place[0] != "/":
            raise store.InvalidStoreURL(
                f"{store.safe_url(url)!r} names no folder", context={"url": store.safe_url(url)}
            )
        return store.StoreURL("jsonl", url, options=(("folder", unquote(place[1:])),))

    def open(self, url: store.StoreURL, run_id: str, *, read_only: bool = False) -> JsonlStore:
        return JsonlStore(Path(dict(url.options)["folder"]), run_id, read_only=read_only)

    def list_runs(self, url: store.StoreURL) -> list[store.RunRecord]:
        return sorted(self._runs(url).values(), key=lambda run: (run.created_at, run.run_id))

    def most_recent_run_id(self, url: store.StoreURL) -> str | None:
        runs = self._runs(url)
        return runs[max(runs, key=lambda file: file.stat().st_mtime_ns)].run_id if runs else None

    def _runs(self, url: store.StoreURL) -> dict[Path, store.RunRecord]:
        found = {}
        for file in self.open(url, "", read_only=True)._path.parent.glob("*.jsonl"):
            with file.open() as lines:
                first = json.loads(lines.readline().partition("\t")[0] or "{}")
            if first:
                with self.open(url, first["run"], read_only=True) as run:
                    counted = (None, None, None, first["made"], None, None, run.count())
                found[file] = store.RunRecord(first["run"], *counted)
        return found
