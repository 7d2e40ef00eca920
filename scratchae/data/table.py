"""A person's table: a `.csv` file whose first line names the columns."""

from __future__ import annotations

import csv
import difflib
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ..errors import DataError
from .source import Source, numbered

MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "-"}
MOST_CLASSES = 50  # different texts in a column; with more, it is no class but a name or a remark
LIKELY_LABELS = ("label", "class", "target", "y")


def read_table(
    path: Path, label: str | None = None, missing: str | None = None, encoding: list[dict[str, Any]] | None = None
) -> Source:
    """The table in a file: numbers as they are, a column of text as a 0 or 1 for each of its classes.

    label: the column with the class of each row, which is no feature. missing="mean" allows missing cells, which become NaN
    here and, when the data are scaled, the mean of their column. encoding: that of an earlier table, whose columns are then
    looked up by name. Raises DataError.
    """
    names, rows = lines_of(path)
    cells = {name: [row[i].strip() for row in rows] for i, name in enumerate(names)}
    labels = cells.pop(label, None) if label is not None else None
    if label is not None and labels is None and encoding is None:
        near = difflib.get_close_matches(label, names, n=1)
        raise DataError(
            f"{path} has no column {label!r}: {f'did you mean {near[0]!r}? ' if near else ''}it has {', '.join(names)}"
        )
    source = Source(path.stem, np.empty((0, 0)))
    if encoding is None:
        encoding = [described(name, column, source.notes, path) for name, column in cells.items()]
        encoding = [each for each in encoding if each is not None]
        likely = [name for name in cells if name.lower() in LIKELY_LABELS]
        if label is None and likely:
            source.notes.append(
                f"Column {likely[0]!r} is taken as a feature; if it is the class of the row: --label {likely[0]}."
            )
    absent = [each["name"] for each in encoding if each["name"] not in cells]
    if absent:
        raise DataError(
            f"{path} lacks the column{'s' * (len(absent) > 1)} {', '.join(absent)}, which the model was trained on"
        )
    extra = cells.keys() - {each["name"] for each in encoding} - {label}
    if extra and not source.notes:
        source.notes.append(f"Not used, as the model was not trained on them: {', '.join(sorted(extra))}.")
    gaps = {
        each["name"]: [i for i, cell in enumerate(cells[each["name"]]) if cell.lower() in MISSING]
        for each in encoding
    }
    gaps = {name: rows for name, rows in gaps.items() if rows}
    if gaps and missing is None:
        refuse_gaps(path, gaps)
    if gaps:
        source.notes.append(f"{counted(gaps)}: each counts as the mean of its column.")
    if not encoding:
        raise DataError(f"{path} holds no column of numbers or classes besides the label: expected at least one")
    columns = [numbers_of(each, cells[each["name"]], source.notes, path) for each in encoding]
    source.x = np.concatenate(columns, axis=1)
    source.columns = tuple(name for each in encoding for name in features_of(each))
    source.encoding = encoding
    if labels is not None:
        empty = [i for i, cell in enumerate(labels) if cell.lower() in MISSING]
        if empty:
            raise DataError(
                f"{path}: the label {label!r} is missing in {where(empty)}: fill it in, or leave these rows out"
            )
        numbers = [number(cell) for cell in labels]
        whole = [int(value) for value in numbers if value is not None and value.is_integer()]
        source.labels, source.classes = numbered(np.array(whole if len(whole) == len(labels) else labels))
        if len(source.classes) > max(len(labels) // 2, 2):
            raise DataError(
                f"{path}: the label {label!r} has {len(source.classes)} different values in {len(labels)} rows, so it is no class: "
                "leave --label out to use it as a feature"
            )
    return source


def lines_of(path: Path) -> tuple[list[str], list[list[str]]]:
    """The names of the columns, and the rows. Raises DataError unless each row has as many cells as there are names."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        text = path.read_text(encoding="latin-1")
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    read = [row for row in csv.reader(text.splitlines(), delimiter=delimiter) if any(cell.strip() for cell in row)]
    if len(read) < 2:
        raise DataError(
            f"{path} holds {'one line' if read else 'nothing'}: expected a line of names, and a row below it for each example"
        )
    names, rows = [name.strip() for name in read[0]], read[1:]
    if all(number(name) is not None for name in names):
        raise DataError(
            f"{path} begins with numbers, {first[:40]!r}: expected the names of the columns in the first line"
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path} has several columns of the name {twice[0]!r}: give each its own")
    uneven = [i for i, row in enumerate(rows) if len(row) != len(names)]
    if uneven:
        raise DataError(
            f"{path}: {where(uneven)} {'has' if len(uneven) == 1 else 'have'} another number of cells than the {len(names)} names; "
            f"the first has {len(rows[uneven[0]])}: a text with {delimiter!r} in it needs quotation marks"
        )
    return names, rows


def described(name: str, column: list[str], notes: list[str], path: Path) -> dict[str, Any] | None:
    """How a column becomes features: {"name"} for numbers, {"name", "classes"} for text. None if it is left out, with a note."""
    there = [cell for cell in column if cell.lower() not in MISSING]
    if there and all(number(cell) is not None for cell in there):
        return {"name": name}
    classes = sorted(set(there))
    numeric = sum(number(cell) is not None for cell in there)
    if numeric > 0.9 * len(there) > 0:
        odd = [i for i, cell in enumerate(column) if cell.lower() not in MISSING and number(cell) is None]
        raise DataError(
            f"{path}: column {name!r} holds numbers, but {column[odd[0]]!r} in {where(odd)}: mend these cells, or empty them and "
            "add --missing mean"
        )
    if len(classes) > MOST_CLASSES or (len(classes) == len(column) > 2) or not classes:
        what = f"{len(classes):,} different texts in {len(column):,} rows" if classes else "nothing in it"
        notes.append(f"Column {name!r} is left out: it has {what}.")
        return None
    return {"name": name, "classes": classes}


def features_of(encoded: dict[str, Any]) -> list[str]:
    """The names of the features that a column becomes."""
    return [f"{encoded['name']}={one}" for one in encoded["classes"]] if "classes" in encoded else [encoded["name"]]


def numbers_of(encoded: dict[str, Any], column: list[str], notes: list[str], path: Path) -> np.ndarray:
    """The features of a column, (N, 1) or (N, classes); NaN where a cell is missing."""
    if "classes" not in encoded:
        values = [np.nan if cell.lower() in MISSING else number(cell) for cell in column]
        if None in values:
            odd = [i for i, value in enumerate(values) if value is None]
            raise DataError(
                f"{path}: column {encoded['name']!r} holds numbers, but {column[odd[0]]!r} in {where(odd)}: mend these cells, or empty them "
                "and add --missing mean"
            )
        return np.array(values, np.float32)[:, None]
    unknown = sorted({cell for cell in column if cell.lower() not in MISSING} - set(encoded["classes"]))
    if unknown:
        notes.append(
            f"Column {encoded['name']!r} has classes that are new here, which count as none: {', '.join(unknown[:5])}."
        )
    return np.array([[cell == one for one in encoded["classes"]] for cell in column], np.float32)


def refuse_gaps(path: Path, gaps: dict[str, list[int]]) -> NoReturn:
    """Raise DataError about missing cells."""
    rows = sorted({i for each in gaps.values() for i in each})
    columns = ", ".join(f"{name} ({len(each)})" for name, each in list(gaps.items())[:5])
    raise DataError(
        f"{path}: {counted(gaps)}, in {where(rows)}; by column: {columns}. "
        "Fill them in, leave these rows out, or let each be the mean of its column: --missing mean"
    )


def counted(gaps: dict[str, list[int]]) -> str:
    count = sum(map(len, gaps.values()))
    return f"{count:,} cell{'s are' if count > 1 else ' is'} missing"


def where(rows: list[int]) -> str:
    """Rows in words, counted from 1 below the line of names."""
    shown = ", ".join(str(row + 1) for row in rows[:5])
    return f"row {shown}" if len(rows) == 1 else f"{len(rows)} rows: {shown}{', …' if len(rows) > 5 else ''}"


def number(cell: str) -> float | None:
    """The number in a cell, also with a decimal comma; None if there is none."""
    for text in (cell, cell.replace(",", ".", 1)):
        try:
            return float(text)
        except ValueError:
            continue
    return None
