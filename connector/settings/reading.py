"""Where a setting's text comes from: the environment, `.env`, or a file that `NAME_FILE` names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from dotenv import dotenv_values

from .problems import Problem
from .values import Wrong

OURS = ("CONNECTOR_", "TIKTOK_", "SUPABASE_")


@dataclass(frozen=True)
class Setting:
    """`default` is text, read like any other; None leaves the value None."""

    name: str
    parse: Callable[[str], object]
    meaning: str
    default: str | None = None
    secret: bool = False
    also: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Every name it may be given by."""
        file = f"{self.name}_FILE" if self.secret else None
        return tuple(filter(None, (self.name, self.also, file)))


class Reading:
    """One pass over one environment; problems gather as it goes."""

    def __init__(
        self, table: Iterable[Setting], environ: Mapping[str, str], dotenv: Path | None
    ) -> None:
        self.problems: list[Problem] = []
        self._table = tuple(table)
        self._raw = self._merged(environ, self._dotenv(dotenv))
        self._understood: dict[str, str] = {}

    def given(self, name: str) -> bool:
        return any(n in self._raw for s in self._table if s.name == name for n in s.names)

    def value(self, setting: Setting) -> object:
        """In the table's order: a default may be built from what was understood before."""
        text = self._text(setting) if self.given(setting.name) else None
        defaulted = text is None
        if text is None and setting.default is not None:
            text = setting.default.format_map(self._understood)
        if text is None:
            return None
        try:
            value = setting.parse(text)
        except Wrong as wrong:
            if not defaulted:
                self.problems.append(Problem(setting.name, wrong.sentence, wrong.remedy))
            value = None
        self._understood[setting.name] = str(value)
        return value

    def strangers(self) -> Iterator[Problem]:
        """Names that look like ours and are not, which is what a misspelt one looks like."""
        known = {name for setting in self._table for name in setting.names}
        missing = [n for s in self._table if not self.given(s.name) for n in s.names]
        for name in sorted(self._raw.keys() - known):
            if not name.startswith(OURS):
                continue
            if meant := get_close_matches(name, missing, n=1, cutoff=0.85):
                yield Problem(name, "There is no such setting.", f"Did you mean {meant[0]}?")
            elif name.startswith("CONNECTOR_"):
                yield Problem(name, "There is no such setting.", "Take it out.")

    def _merged(self, environ: Mapping[str, str], written: Mapping[str, str]) -> dict[str, str]:
        """A setting named in the environment, by whichever of its names, is not looked up in .env."""
        settled = {n for s in self._table for n in s.names if any(m in environ for m in s.names)}
        merged = {n: text for n, text in written.items() if n not in settled} | dict(environ)
        return {name: text.strip() for name, text in merged.items() if text.strip()}

    def _dotenv(self, dotenv: Path | None) -> dict[str, str]:
        if dotenv is None:
            return {}
        try:
            found = dotenv_values(dotenv, interpolate=False, encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError):
            self.problems.append(
                Problem(str(dotenv), "It cannot be read.", "Make it a readable file in UTF-8.")
            )
            return {}
        return {name: text or "" for name, text in found.items()}

    def _text(self, setting: Setting) -> str | None:
        ways = [name for name in setting.names if name in self._raw]
        texts = {
            name: self._contents(name) if _is_file(name, setting) else self._raw[name]
            for name in ways
        }
        if len(ways) > 1 and (_is_file(ways[-1], setting) or len(set(texts.values())) > 1):
            self.problems.append(
                Problem(
                    setting.name,
                    f"It is given twice, by {' and '.join(ways)}.",
                    "Keep one of them.",
                )
            )
        return texts[ways[0]]

    def _contents(self, name: str) -> str | None:
        try:
            text = Path(self._raw[name]).read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            text = ""
        if not text:
            self.problems.append(
                Problem(
                    name,
                    "The file it names is empty or cannot be read.",
                    "Check the path and who may read it.",
                )
            )
        return text or None


def _is_file(name: str, setting: Setting) -> bool:
    return name == f"{setting.name}_FILE"
